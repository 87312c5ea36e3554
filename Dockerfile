# Images of Assay. docs/deploy.md says how to run them.
#
#   docker build -t assay .                      Debian's LibTorch, for CPUs; --build-arg DEBIAN=12 for the older one
#   docker build -t assay-gpu --target gpu .     PyTorch's LibTorch with CUDA
#
# Both run as user 10001 and with a read-only root file system. They write to /var/lib/assay (a volume: everything that is to be kept)
# and to /tmp (nothing that is to be kept).
ARG DEBIAN=13

# --- What both compile.
FROM debian:${DEBIAN} AS sources
WORKDIR /src
# Packages first: this layer changes only with packages.txt.
COPY packages.txt ./
COPY scripts/install-packages scripts/
RUN scripts/install-packages build
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY proto proto
COPY core core
COPY net net
COPY server server
COPY client client
COPY scripts/build-programs scripts/

FROM sources AS build
RUN scripts/build-programs /opt/assay/bin

# PyTorch's wheel is a LibTorch, and the wheels that it needs are CUDA's libraries; those of the toolkit are for compiling only. Of them all
# the libraries stay, where the engine was linked with them.
FROM sources AS build-gpu
ARG TORCH=2.15.0
RUN scripts/install-packages gpu && \
    python3 -m pip install --no-cache-dir --target /opt/torch "torch==$TORCH" 'cuda-toolkit[nvcc,crt,nvvm,cccl]'
RUN export CUDA_HOME=/opt/torch/nvidia/cu13 && cd "$CUDA_HOME/lib" && \
    for library in *.so.*; do ln -sf "$library" "${library%%.so.*}.so"; done && \
    PATH=$CUDA_HOME/bin:$PATH /src/scripts/build-programs /opt/assay/bin /opt/torch/torch && \
    rm /opt/torch/torch/lib/libtorch_python.so && \
    find /opt/torch ! -type d ! -path '/opt/torch/torch/lib/*.so*' ! -path '/opt/torch/nvidia/*/lib/*.so*' -delete && \
    find /opt/torch -type d -empty -delete

# --- What both run in.
FROM debian:${DEBIAN}-slim AS base
WORKDIR /tmp/install
COPY packages.txt ./
COPY scripts/install-packages scripts/
RUN scripts/install-packages run && rm -rf /var/lib/apt/lists/* /tmp/install && \
    useradd --uid 10001 --home-dir /var/lib/assay --create-home --shell /usr/sbin/nologin assay
# Where to listen and to keep data: by a file, so that variables, arguments and another file go before it.
COPY deploy/container.yaml /etc/assay/assayd.yaml
USER 10001:10001
WORKDIR /var/lib/assay
VOLUME /var/lib/assay
# gRPC; Prometheus metrics and health.
EXPOSE 8001 8002
# Bash speaks enough HTTP, so the image needs no client for it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/8002 && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["assayd"]
# Inside a container there is no other address to listen on than a public one. Publish the ports to trusted networks only, or give
# --tls-cert, --tls-key and --tokens (docs/security.md) in place of this.
CMD ["--insecure"]

FROM base AS gpu
COPY --from=build-gpu /opt/torch/ /opt/torch/
COPY --from=build-gpu /opt/assay/bin/ /usr/local/bin/
# What the container runtime is to bring along of the driver.
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility

FROM base AS cpu
COPY --from=build /opt/assay/bin/ /usr/local/bin/
