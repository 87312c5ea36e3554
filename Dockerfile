# Assay with Debian's LibTorch, CPU only. Build: docker build -t assay .   Run: docker compose up, or see docs/operations.md.
# --build-arg DEBIAN=12 for the older one.
#
# For GPUs: unpack a LibTorch with CUDA into libtorch/ beside this file, and name a Debian or Ubuntu image with the CUDA toolkit of that
# LibTorch's version: docker build --build-arg LIBTORCH=/opt/libtorch --build-arg BUILD=IMAGE --build-arg RUN=IMAGE -t assay-gpu .
ARG DEBIAN=13
ARG BUILD=debian:${DEBIAN}
ARG RUN=debian:${DEBIAN}-slim

FROM ${BUILD} AS build
ARG LIBTORCH=
WORKDIR /src
# Packages first: this layer changes only with packages.txt.
COPY packages.txt ./
COPY scripts/install-packages scripts/
RUN scripts/install-packages build
# With a file that is always there, since there may be no libtorch/.
COPY packages.txt libtorch* /opt/libtorch/
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY proto proto
COPY core core
COPY net net
COPY server server
COPY client client
RUN cmake --preset release -DASSAY_BUILD_TESTS=OFF -DASSAY_LIBTORCH="$LIBTORCH" && \
    cmake --build build --target assayd assay-engine assay assay-example && \
    strip build/bin/* && mkdir -p /opt/libtorch/lib

FROM ${RUN}
WORKDIR /tmp/install
COPY packages.txt ./
COPY scripts/install-packages scripts/
RUN scripts/install-packages run && rm -rf /var/lib/apt/lists/* /tmp/install
# Where the engine looks for it; empty with Debian's.
COPY --from=build /opt/libtorch/lib/ /opt/libtorch/lib/
COPY --from=build /src/build/bin/ /usr/local/bin/
RUN useradd --uid 10001 --home-dir /var/lib/assay --create-home assay
USER assay
WORKDIR /var/lib/assay
VOLUME /var/lib/assay
# gRPC; Prometheus metrics and health.
EXPOSE 8001 8002
# Bash speaks enough HTTP, so the image needs no client for it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/8002 && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
# --insecure: inside a container there is no other address to listen on. Publish the ports to trusted networks only, or give
# --tls-cert, --tls-key and --tokens (docs/security.md).
ENTRYPOINT ["assayd", "--listen", "0.0.0.0:8001", "--metrics-port", "8002", "--data-dir", "/var/lib/assay/data", "--insecure"]
