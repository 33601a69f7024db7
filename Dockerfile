# Both images, one target each: `oneapi`, `twoapi`. What changes more often comes later, so that a
# change compiles only what it touches: the crates that are depended on, the sources, the version.

ARG RUST=1.95
# Where Docker Hub is slow or blocked: what stands before the name, with a slash at its end.
ARG BASE=

FROM ${BASE}rust:${RUST}-slim-bookworm AS build
WORKDIR /src

# Where cargo finds it by itself.
COPY static.toml .cargo/config.toml

# Where crates.io is: the index of a mirror, such as sparse+https://mirror.example.com/index/.
ARG CRATES=
RUN [ -z "$CRATES" ] || printf '[source.crates-io]\nreplace-with = "mirror"\n[source.mirror]\nregistry = "%s"\n' "$CRATES" >> .cargo/config.toml

# What the services have beside the default: otlp exports spans.
ARG FEATURES=

# Dependencies. cargo wants to see a library in each member of the workspace, and the files of each
# bench and test that a manifest names: the former are empty here, the latter are struck out.
COPY Cargo.toml Cargo.lock ./
COPY chassis/Cargo.toml chassis/
COPY load/Cargo.toml load/
COPY oneapi/Cargo.toml oneapi/
COPY twoapi/Cargo.toml twoapi/
COPY cluster/Cargo.toml cluster/
COPY e2e/Cargo.toml e2e/
COPY bench/Cargo.toml bench/
COPY documents/Cargo.toml documents/
RUN sed -i '/^\[\[/,/^$/d' */Cargo.toml \
 && for member in */; do mkdir "$member/src" && echo '//! Empty.' > "$member/src/lib.rs"; done \
 && for service in oneapi twoapi; do echo 'fn main() {}' > "$service/src/main.rs"; done \
 && cargo build --locked --release --lib -p oneapi -p twoapi --features "$FEATURES"

# Sources, all but each main.rs, the only file that knows the version. cargo goes by modification
# times, and those in a checkout may be older than the empty files of above.
COPY chassis/src chassis/src
COPY load/src load/src
COPY oneapi/src oneapi/src
COPY twoapi/src twoapi/src
COPY twoapi/build.rs twoapi/
COPY twoapi/page twoapi/page
RUN touch */src/*.rs && cargo build --locked --release --lib -p oneapi -p twoapi --features "$FEATURES"

ARG VERSION
ARG COMMIT=unknown
RUN cargo build --locked --release --bins -p oneapi -p twoapi --features "$FEATURES" \
 && mkdir /out && cp target/*/release/oneapi target/*/release/twoapi /out/

FROM scratch AS oneapi
ARG VERSION
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="oneapi" \
      org.opencontainers.image.description="chesterapi's first service: says its Pod's IP, and burns exactly as much CPU as it is asked to" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /out/oneapi /oneapi
# A number: `runAsNonRoot` can't check a name, and there is no /etc/passwd to find one in.
USER 65532:65532
EXPOSE 5000
ENTRYPOINT ["/oneapi"]

FROM scratch AS twoapi
ARG VERSION
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="twoapi" \
      org.opencontainers.image.description="chesterapi's second service: calls oneapi over the Pod's localhost" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /out/twoapi /twoapi
USER 65532:65532
EXPOSE 5001
ENTRYPOINT ["/twoapi"]
