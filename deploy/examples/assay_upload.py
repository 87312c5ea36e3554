"""Uploads of models and images to Assay, over the stubs that docs/python.md makes."""
import hashlib
import os
import re
import struct
import uuid

from assay.v1 import chunks_pb2, chunks_pb2_grpc, datasets_pb2, models_pb2

CHUNK, PIECE = 4 << 20, 1 << 20


def _send(channel, chunks, upload_id):
    """Brings those of `chunks` (bytes) to the server that it lacks; the digests of all."""
    stub = chunks_pb2_grpc.ChunkServiceStub(channel)
    named = {hashlib.sha256(chunk).hexdigest(): chunk for chunk in chunks}
    missing = stub.FindMissingChunks(chunks_pb2.FindMissingChunksRequest(digests=named, upload_id=upload_id)).missing

    def requests():
        for digest in missing:
            chunk = named[digest]
            header = chunks_pb2.UploadChunksRequest.Header(digest=digest, size_bytes=len(chunk), upload_id=upload_id)
            yield chunks_pb2.UploadChunksRequest(header=header)
            for start in range(0, len(chunk), PIECE):
                yield chunks_pb2.UploadChunksRequest(data=chunk[start:start + PIECE])

    if missing:
        stub.UploadChunks(requests())
    return [hashlib.sha256(chunk).hexdigest() for chunk in chunks]


def model_request(channel, path, **labels):
    """The file of a model (.pt, .pt2, .onnx), uploaded: a CreateModelRequest."""
    with open(path, "rb") as file:
        content = file.read()
    upload_id = str(uuid.uuid4())
    digests = _send(channel, [content[i:i + CHUNK] for i in range(0, len(content), CHUNK)], upload_id)
    digest = hashlib.sha256(content).hexdigest()
    # An id is of these characters, and starts with a letter or digit.
    stem = re.sub(r"[^a-z0-9._-]+", "-", os.path.splitext(os.path.basename(path))[0].lower()).lstrip("._-")[:60] or "model"
    return models_pb2.CreateModelRequest(
        model_id=f"{stem}-{digest[:12]}", digest=digest, chunks=digests, request_id=upload_id, labels=labels)


def dataset_request(channel, images, labels, class_names=(), dataset_id=""):
    """`images`: an array of uint8, n x height x width x channels; `labels`: n numbers. A CreateDatasetRequest."""
    n, height, width, channels = images.shape
    per_chunk = max(1, CHUNK // (4 + height * width * channels))
    upload_id, chunks, sizes = str(uuid.uuid4()), [], []
    for start in range(0, n, per_chunk):
        part = images[start:start + per_chunk]
        own = [int(label) for label in labels[start:start + per_chunk]]
        # Labels, then images with their channels first.
        chunks.append(struct.pack(f"<{len(own)}i", *own) + part.transpose(0, 3, 1, 2).tobytes())
        sizes.append(len(own))
    manifest = datasets_pb2.DatasetManifest(pixel_type="UINT8", class_names=class_names)
    manifest.shape.channels, manifest.shape.height, manifest.shape.width = channels, height, width
    for digest, size in zip(_send(channel, chunks, upload_id), sizes):
        manifest.chunks.add(digest=digest, samples=size)
    return datasets_pb2.CreateDatasetRequest(dataset_id=dataset_id, manifest=manifest, request_id=upload_id)
