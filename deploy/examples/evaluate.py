#!/usr/bin/env python3
"""Uploads a model and images to a server, evaluates, waits, and prints accuracies: evaluate.py HOST:PORT model.pt images.npy labels.npy

docs/python.md tells how its imports are made.
"""
import sys

import grpc
import numpy
from assay_upload import dataset_request, model_request
from assay.v1 import datasets_pb2_grpc, evaluations_pb2 as pb, evaluations_pb2_grpc, models_pb2_grpc

server, model_path, images, labels = sys.argv[1:]
channel = grpc.insecure_channel(server)
evaluations = evaluations_pb2_grpc.EvaluationServiceStub(channel)
model = models_pb2_grpc.ModelServiceStub(channel).CreateModel(model_request(channel, model_path, stage="test"))
dataset = datasets_pb2_grpc.DatasetServiceStub(channel).CreateDataset(dataset_request(channel, numpy.load(images), numpy.load(labels)))
spec = pb.EvaluationSpec(model=model.name, dataset=dataset.name, conditions=["clean", "attack/pgd:eps=4/255,steps=5"], limit=100)
evaluation = evaluations.CreateEvaluation(pb.CreateEvaluationRequest(spec=spec))
for event in evaluations.WatchEvaluation(pb.WatchEvaluationRequest(name=evaluation.name)):
    print(pb.Evaluation.State.Name(event.evaluation.state), event.evaluation.progress.samples_done, file=sys.stderr)
if event.evaluation.state != pb.Evaluation.SUCCEEDED:
    sys.exit(event.evaluation.failure.message or "it was cancelled")
for condition in evaluations.GetReport(pb.GetReportRequest(name=evaluation.name)).conditions:
    print(condition.id, f"{rate.value:.3f} [{rate.lower:.3f}, {rate.upper:.3f}]" if (rate := condition.accuracy).HasField("value") else rate.undefined_reason)
