# The images of ChatSystem, one program each: `docker build --target api .`, or `worker`, or `operator`. `make images`
# builds them all, also where there is no Docker.
#
# A program runs as user 65532, listens to SIGTERM and writes no file, so the root may be mounted read-only. There is no
# shell beside it, only the C library and the certificates of public authorities.

# What rust-toolchain.toml says.
ARG RUST=1.95.0

FROM rust:${RUST}-slim-bookworm AS rust
ARG RUST
# Instead of the toolchain file, which also wants what only people need.
ENV RUSTUP_TOOLCHAIN=${RUST}
RUN cargo install cargo-chef --locked --version 0.1.78
WORKDIR /src

# What of the tree decides over the dependencies: the manifests and the lock.
FROM rust AS recipe
COPY . .
RUN cargo chef prepare --recipe-path /recipe.json

# The dependencies, in layers that stay until the recipe changes.
FROM rust AS dependencies
ARG PROFILE=dist
ENV FEATURES=api/cluster,worker/cluster,api/otlp,worker/otlp
COPY --from=recipe /recipe.json /recipe.json
RUN cargo chef cook --locked --profile ${PROFILE} --package api --package worker --features ${FEATURES} --recipe-path /recipe.json

FROM dependencies AS chat
ARG PROFILE=dist
COPY . .
RUN cargo build --locked --profile ${PROFILE} -p api -p worker --features ${FEATURES} \
    && mkdir /programs \
    && find target -maxdepth 2 -type f \( -name chat-api -o -name chat-worker \) -exec mv -t /programs {} +

FROM gcr.io/distroless/cc-debian12:nonroot AS program
ARG VERSION=dev
LABEL org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.licenses=Apache-2.0
USER 65532:65532
WORKDIR /

FROM program AS api
LABEL org.opencontainers.image.title=chat-api \
      org.opencontainers.image.description="The HTTP API of ChatSystem"
COPY --from=chat /programs/chat-api /usr/local/bin/chat-api
# The API, and what is for the cluster alone: probes and metrics.
EXPOSE 8080 8081
ENTRYPOINT ["/usr/local/bin/chat-api"]

FROM program AS worker
LABEL org.opencontainers.image.title=chat-worker \
      org.opencontainers.image.description="ChatSystem's way from the queue into the store and the index, and its upkeep"
COPY --from=chat /programs/chat-worker /usr/local/bin/chat-worker
EXPOSE 8081
ENTRYPOINT ["/usr/local/bin/chat-worker"]

FROM dependencies AS chat-operator
ARG PROFILE=dist
RUN cargo chef cook --locked --profile ${PROFILE} --package operator --recipe-path /recipe.json
COPY . .
RUN cargo build --locked --profile ${PROFILE} -p operator \
    && mkdir /programs \
    && find target -maxdepth 2 -type f -name chat-operator -exec mv -t /programs {} +

FROM program AS operator
LABEL org.opencontainers.image.title=chat-operator \
      org.opencontainers.image.description="Turns a ChatSystem resource into a running system"
COPY --from=chat-operator /programs/chat-operator /usr/local/bin/chat-operator
ENTRYPOINT ["/usr/local/bin/chat-operator"]
