#!/bin/bash
# package_test.sh BUILD: the Debian package has what docs/install.md says, and depends on what the programs need. 77: not Debian.
set -euo pipefail
build=$(cd "$1" && pwd)
command -v dpkg-deb >/dev/null && command -v dpkg-shlibdeps >/dev/null || { echo "no dpkg-deb or dpkg-shlibdeps"; exit 77; }
# With another LibTorch, or with sanitizers, it is no package of Debian's libraries.
if [ -s "$build/libtorch" ] || ldd "$build/bin/assayd" | grep -q 'lib[atu]*san'; then
  echo "skipped: not Debian's libraries"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

# As `make deb` does. cpack leaves out what is not made.
cmake --build "$build" --target package_files >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "package_files"; }
(cd "$work" && cpack --config "$build/CPackConfig.cmake" -G DEB -B "$work" >"$work/log" 2>&1) || { cat "$work/log" >&2; fail "cpack"; }
package=$(echo "$work"/assay_*.deb)
[ -s "$package" ] || fail "no package"
dpkg-deb --fsys-tarfile "$package" | tar -tf - >"$work/files"
for file in usr/bin/{assay,assayd,assay-engine,assay-example} etc/assay/assayd.yaml usr/lib/systemd/system/assayd.service \
  usr/share/assay/prometheus/rules.yml usr/share/assay/grafana/dashboards/assay-service.json usr/share/doc/assay/README.md \
  usr/share/doc/assay/docs/operations.md usr/share/doc/assay/examples/gpu.conf usr/share/doc/assay/copyright usr/share/doc/assay/changelog.Debian.gz \
  usr/share/man/man1/assay{,-example}.1.gz usr/share/man/man8/assay{d,-engine}.8.gz \
  usr/share/bash-completion/completions/assay usr/share/zsh/vendor-completions/_assay usr/share/fish/vendor_completions.d/assay.fish; do
  grep -qx "./$file" "$work/files" || fail "$file is not in the package"
done
dpkg-deb -f "$package" >"$work/control"
for dependency in libtorch libopenblas0-openmp libgrpc++1 libsqlite3-0 libc6 adduser; do
  grep -q "^Depends:.*\b$dependency" "$work/control" || fail "it does not depend on $dependency"
done
dpkg-deb -e "$package" "$work/DEBIAN"
[ "$(cat "$work/DEBIAN/conffiles")" = /etc/assay/assayd.yaml ] || fail "assayd.yaml is no conffile"
for script in postinst prerm postrm; do [ -x "$work/DEBIAN/$script" ] || fail "$script is not in the package"; done
echo "${package##*/} is complete"
