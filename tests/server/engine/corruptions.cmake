# Included by CMakeLists.txt beside it.
assay_test(random_test SOURCES random_test.cc DEPS assay_random)
# The scalar reference must not be contracted either.
set_source_files_properties(random_test.cc PROPERTIES COMPILE_OPTIONS "-ffp-contract=off")
assay_test(corruptions_test SOURCES corruptions_test.cc corruption_plan_test.cc corruption_spectrum_test.cc golden_corruptions.cc
    DEPS assay_corruptions assay_client_data nlohmann_json::nlohmann_json)
assay_test(corruption_run_test SOURCES corruption_run_test.cc DEPS assay_engine_core)
