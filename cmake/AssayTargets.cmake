# Helpers, so that every target gets the house's warnings and include path in the same way.

function(_assay_configure target)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
  # No contraction: with fused multiply-adds a machine would have other draws and other grey levels than one without.
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wconversion -Werror -ffp-contract=off)
endfunction()

# assay_library(name [SOURCES a.cc...] DEPS lib...): a static library of our own code; without SOURCES, of every file of this
# folder, so that adding one needs no change here.
function(assay_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  if(NOT ARG_SOURCES)
    file(GLOB ARG_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
    list(FILTER ARG_SOURCES EXCLUDE REGEX "/main\\.cc$")
  endif()
  add_library(${name} STATIC ${ARG_SOURCES})
  _assay_configure(${name})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS})
endfunction()

# assay_binary(name SOURCES a.cc... DEPS lib...): a program in build/bin.
function(assay_binary name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  _assay_configure(${name})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
endfunction()

# assay_test(name SOURCES a.cc... DEPS lib... [HEADERS <h>...] [TIMEOUT s] [SERIAL]): a GoogleTest program, registered with CTest
# case by case. HEADERS: what all its files include, and takes long to parse; for programs of many files. SERIAL: it uses every
# core by itself.
function(assay_test name)
  cmake_parse_arguments(ARG "SERIAL" "TIMEOUT" "SOURCES;DEPS;HEADERS;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  _assay_configure(${name})
  # gMock's templates take a quarter longer to compile with -O3, and what tests do themselves is small.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest GTest::gtest_main)
  if(ARG_HEADERS)
    target_precompile_headers(${name} PRIVATE ${ARG_HEADERS})
  endif()
  target_compile_definitions(${name} PRIVATE ASSAY_SOURCE_DIR="${CMAKE_SOURCE_DIR}" ASSAY_BINARY_DIR="${CMAKE_BINARY_DIR}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
      PROPERTIES TIMEOUT ${ARG_TIMEOUT} RUN_SERIAL ${ARG_SERIAL} LABELS "${ARG_LABELS}")
endfunction()
