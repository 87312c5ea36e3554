#!/usr/bin/env python3
"""Golden numbers of onnx_operators_test.cc: pip install onnxruntime numpy; then
ASSAY_WRITE_ONNX=DIRECTORY onnx_operators_test; onnx_operators_golden.py DIRECTORY"""
import pathlib
import sys

import numpy as np
import onnxruntime

options = onnxruntime.SessionOptions()
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
lines = [f"# ONNX Runtime {onnxruntime.__version__}; made by onnx_operators_golden.py"]
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    shape = [1] + session.get_inputs()[0].shape[1:]
    images = np.fromfile(path.with_suffix(".images"), np.float32).reshape([-1, *shape])
    rows = [session.run(None, {"x": image})[0].ravel() for image in images]
    lines.append(f"{path.stem}: " + " ".join(f"{x:.8g}" for x in np.concatenate(rows)))
(pathlib.Path(__file__).parent / "onnx_operators_golden.txt").write_text("\n".join(lines) + "\n")
