# What is installed, and the Debian package of it: `make deb` (docs/install.md). Man pages and completions are made by the
# programs themselves.
include(GNUInstallDirs)

set(made ${CMAKE_BINARY_DIR}/package)
# Made anew with each package: what they are made of is everything.
set(make_pages
    COMMAND ${CMAKE_COMMAND} -E make_directory ${made}
    COMMAND assay --man-page > ${made}/assay.1
    COMMAND assayd --man-page > ${made}/assayd.8
    COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_SOURCE_DIR}/deploy/man/assay-engine.8 ${CMAKE_SOURCE_DIR}/deploy/man/assay-example.1 ${made}
    COMMAND ${CMAKE_COMMAND} -E copy ${made}/changelog ${made}/changelog.Debian
    COMMAND gzip -9nf ${made}/assay.1 ${made}/assay-example.1 ${made}/assayd.8 ${made}/assay-engine.8 ${made}/changelog.Debian
    COMMAND assay completion bash > ${made}/assay
    COMMAND assay completion zsh > ${made}/_assay
    COMMAND assay completion fish > ${made}/assay.fish)
add_custom_target(package_files ${make_pages} DEPENDS assay assayd VERBATIM)

install(TARGETS assay assayd RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(ASSAY_BUILD_ENGINE)
  install(TARGETS assay-engine assay-example RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(FILES ${made}/assay.1.gz ${made}/assay-example.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 OPTIONAL)
install(FILES ${made}/assayd.8.gz ${made}/assay-engine.8.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man8 OPTIONAL)
install(FILES ${made}/assay DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions OPTIONAL)
install(FILES ${made}/_assay DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions OPTIONAL)
install(FILES ${made}/assay.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d OPTIONAL)
install(FILES deploy/assayd.yaml DESTINATION /etc/assay)
install(FILES deploy/systemd/assayd.service DESTINATION lib/systemd/system)
install(DIRECTORY deploy/prometheus deploy/grafana DESTINATION ${CMAKE_INSTALL_DATADIR}/assay PATTERN "*_test.yml" EXCLUDE)
install(FILES README.md deploy/debian/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${made}/changelog.Debian.gz DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs)
install(DIRECTORY deploy/examples/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(FILES deploy/systemd/gpu.conf DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)

# A package is for the release of Debian on which it was made: later ones have other libraries.
set(release 0)
if(EXISTS /etc/os-release)
  file(STRINGS /etc/os-release release REGEX "^VERSION_ID=")
  string(REGEX REPLACE "[^0-9.]" "" release "${release}")
endif()
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME assay)
set(CPACK_PACKAGE_VENDOR Assay)
set(CPACK_PACKAGE_CONTACT "The Assay project <assay@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "measures how robust image classifiers are, class by class")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "Adversarial attacks, common corruptions and certificates for image classifiers\nas PyTorch, ONNX or TorchScript files, with exact intervals for every class.\n\nThis package has the server assayd, its engine, and the command line assay.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE "1+deb${release}")
set(CPACK_DEBIAN_PACKAGE_SECTION science)
configure_file(deploy/debian/changelog.in ${made}/changelog @ONLY)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# Not linked but looked for at run time: a fast BLAS. adduser: for the scripts.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libopenblas0-openmp, adduser")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "prometheus")
foreach(script postinst prerm postrm conffiles)
  list(APPEND CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/deploy/debian/${script})
endforeach()
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_STRIP_FILES ON)
# /etc beside /usr.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR})
set(CPACK_VERBATIM_VARIABLES ON)
include(CPack)
