# The front door. On a Debian 13 or 12 that has make and git and nothing else, each target does its own set-up.
#
#   make demo     packages, build, the built-in example, two reports        make test     packages, build, every test
#
# cmake --preset release|debug|asan|tsan is there for everything else (docs/development.md).
JOBS ?= $(shell nproc)
# Tests start engines with a thread for each core, so more tests at a time would only wait for each other.
TEST_JOBS ?= 2
PROGRAMS := assayd assay assay-engine assay-example
# Another LibTorch than Debian's: the folder of an unpacked one, or python for the one of `python3 -c 'import torch'`. The next
# call without it goes back to Debian's.
LIBTORCH ?=

.PHONY: .FORCE help demo cluster-demo test build deb format clean packages
.DEFAULT_GOAL := help

help:
	@echo 'make demo     build, make the built-in example, evaluate two models, print the reports'
	@echo 'make cluster-demo  the same by several servers over PostgreSQL, one of which is killed'
	@echo 'make test     build everything and run all tests'
	@echo 'make build    build the programs into build/bin'
	@echo 'make deb      make a Debian package for this release, build/assay_*.deb'
	@echo 'make format   format the sources with clang-format'
	@echo 'make clean    remove build/, the built-in example included'
	@echo 'LIBTORCH=PATH, with build or test: another LibTorch, unpacked there; LIBTORCH=python: the one of python3'
	@echo 'Each installs the Debian packages that it needs (packages.txt) if they are missing.'

packages:
	@scripts/install-packages

# Once configured, Ninja configures again by itself when that is needed, but not for another LibTorch.
build/build.ninja: build/libtorch | packages
	cmake --preset release -U 'Torch*' -U 'Caffe2*' -U C10_LIBRARY -U TORCH_LIBRARY -D ASSAY_LIBTORCH="$$(cat $<)"
	@touch $@

build/libtorch: .FORCE
	@mkdir -p build
	@scripts/find-libtorch '$(LIBTORCH)' >$@.new || { rm -f $@.new; exit 1; }
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

build: build/build.ninja | packages
	cmake --build build --parallel $(JOBS) --target $(PROGRAMS)

demo: build
	@scripts/demo

deb: build
	@scripts/install-packages deb
	cmake --build build --parallel $(JOBS) --target package_files
	cd build && cpack -G DEB

cluster-demo: build
	@scripts/cluster-demo

test: build/build.ninja | packages
	cmake --build build --parallel $(JOBS)
	ctest --test-dir build --output-on-failure --parallel $(TEST_JOBS)

format:
	@scripts/install-packages format
	git ls-files -z --cached --others --exclude-standard '*.h' '*.cc' | xargs -0 clang-format -i

clean:
	rm -rf build
