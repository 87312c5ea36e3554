# LibTorch for the few targets that need it: `assay_torch` to link against, and `assay_torch_pch(target)` to parse its headers
# once for all of them: a file takes 4 s to compile instead of 9. Include this file before using either; including it again
# does nothing.
#
# The installed LibTorch is taken (Debian's libtorch-dev), or any other (2.x, CUDA) whose folder ASSAY_LIBTORCH names, as
# `make build LIBTORCH=...` does.
include_guard(GLOBAL)

set(ASSAY_LIBTORCH "" CACHE PATH "Folder of a LibTorch in place of Debian's: an unpacked libtorch/, or site-packages/torch")
set(search)
if(ASSAY_LIBTORCH)
  # No other is good enough.
  set(search PATHS ${ASSAY_LIBTORCH} NO_DEFAULT_PATH)
  # Nor for what its package looks for in turn, which would find Debian's first.
  list(PREPEND CMAKE_PREFIX_PATH ${ASSAY_LIBTORCH})
  # Its package asks for the CUDA compiler, and has it try cards of all ages that the compiler may have dropped.
  if(NOT DEFINED TORCH_CUDA_ARCH_LIST AND NOT DEFINED ENV{TORCH_CUDA_ARCH_LIST})
    set(TORCH_CUDA_ARCH_LIST 9.0)
  endif()
endif()
# Imported targets are seen in all directories, so that tests/ need not search again.
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)
find_package(Torch REQUIRED ${search})
unset(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL)

# Debian's 1.13.1 calls itself 1.13.0.
set(assay_torch_version ${Torch_VERSION})
if(Torch_DIR MATCHES "^/usr/lib/" AND Torch_VERSION VERSION_EQUAL 1.13.0)
  execute_process(COMMAND dpkg-query -W -f \${Version} libtorch-dev OUTPUT_VARIABLE version ERROR_QUIET)
  if(version MATCHES "^1\\.13\\.[0-9]+")
    set(assay_torch_version ${CMAKE_MATCH_0})
  endif()
endif()

add_library(assay_torch INTERFACE)
# The package's own targets carry its definitions, its ABI flag and its headers; being imported, the headers are system
# headers, and our warnings stop at them.
target_link_libraries(assay_torch INTERFACE ${TORCH_LIBRARIES} Threads::Threads)
# A wheel's libraries find those of CUDA in the wheels beside it; the linker would take the toolkit's, which may be older.
file(GLOB beside ${ASSAY_LIBTORCH}/../nvidia/*/lib)
if(ASSAY_LIBTORCH AND beside)
  list(TRANSFORM beside PREPEND "LINKER:-rpath-link,")
  target_link_options(assay_torch INTERFACE ${beside})
endif()
# gRPC and GoogleTest bring this flag along, and a precompiled header serves only targets that agree on it.
target_compile_options(assay_torch INTERFACE -pthread)
# Debian 13's abseil brings this one along in the same way.
target_compile_definitions(assay_torch INTERFACE NOMINMAX)
if(Torch_VERSION VERSION_GREATER_EQUAL 2.10)
  # Its headers need it. Debian's abseil fixes its own types whatever the standard, so that both can be linked.
  target_compile_features(assay_torch INTERFACE cxx_std_20)
  # g++ 12 takes what std::string does in C++20 for overflows, and for uninitialized.
  target_compile_options(assay_torch INTERFACE -Wno-error)
endif()

# Owns the precompiled header. torch/torch.h (layers, optimizers, data loaders) stays out: parsing it would cost more than all
# of the rest, and nothing here uses it.
add_library(assay_torch_headers OBJECT ${CMAKE_CURRENT_LIST_DIR}/torch_headers.cc)
_assay_configure(assay_torch_headers)
target_link_libraries(assay_torch_headers PRIVATE assay_torch)
target_precompile_headers(assay_torch_headers
    PRIVATE <torch/script.h> <torch/csrc/autograd/autograd.h>)

# assay_torch_pch(target): every file of `target` sees the headers of LibTorch, parsed once. Beware that they define LOG and
# CHECK. Files include what they use all the same.
function(assay_torch_pch target)
  target_link_libraries(${target} PRIVATE assay_torch)
  target_precompile_headers(${target} REUSE_FROM assay_torch_headers)
  # Later versions of g++ take the header only at the level of optimisation that it was parsed at, and tests have a lower one.
  target_compile_options(${target} PRIVATE
      $<$<AND:$<CONFIG:Release>,$<CXX_COMPILER_ID:GNU>,$<VERSION_GREATER_EQUAL:$<CXX_COMPILER_VERSION>,13>>:-O3>)
  # A target with flags of its own falls back to parsing, which is slow but not wrong.
  target_compile_options(${target} PRIVATE -Wno-error=invalid-pch)
endfunction()
