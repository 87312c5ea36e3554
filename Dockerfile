# Assay on Debian 12, CPU only. Build: docker build -t assay .   Run: docker compose up, or see docs/operations.md.
#
# A GPU image needs a LibTorch with CUDA in place of Debian's: add it to the build stage and point CMAKE_PREFIX_PATH at it.
FROM debian:12 AS build
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
RUN cmake --preset release -DASSAY_BUILD_TESTS=OFF && \
    cmake --build build --target assayd assay-engine assay assay-example && \
    strip build/bin/*

FROM debian:12-slim
WORKDIR /tmp/install
COPY packages.txt ./
COPY scripts/install-packages scripts/
RUN scripts/install-packages run && rm -rf /var/lib/apt/lists/* /tmp/install
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
# --insecure: inside a container there is no other address to listen on. Publish the ports to trusted networks only.
ENTRYPOINT ["assayd", "--listen", "0.0.0.0:8001", "--metrics-port", "8002", "--data-dir", "/var/lib/assay/data", "--insecure"]
