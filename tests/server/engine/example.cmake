if(TARGET assay_example_shapes)
  assay_test(shapes_test SOURCES shapes_test.cc DEPS assay_example_shapes)
endif()
