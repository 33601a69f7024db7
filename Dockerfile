# Both images, one target each: `oneapi`, `twoapi`. What changes more often comes later, so that a
# change compiles only what it touches: the crates that are depended on, the sources, the version. It is
# compiled on the platform of this machine for the one that is asked for, so that nothing is emulated.

ARG RUST=1.95.0
# Where Docker Hub is slow or blocked: what stands before the name, with a slash at its end.
ARG BASE=
# Which build of that tag, as @sha256:…, in a mirror too; a release names it. None: whichever is there.
ARG DIGEST=

FROM --platform=$BUILDPLATFORM ${BASE}rust:${RUST}-slim-bookworm${DIGEST} AS build
WORKDIR /src

# Where cargo finds it by itself.
COPY static.toml .cargo/config.toml

# Where crates.io is: the index of a mirror, such as sparse+https://mirror.example.com/index/.
ARG CRATES=
RUN [ -z "$CRATES" ] || printf '[source.crates-io]\nreplace-with = "mirror"\n[source.mirror]\nregistry = "%s"\n' "$CRATES" >> "$CARGO_HOME/config.toml"

# Writes into each program which crates it is made of, for scanners. Unoptimised it is built soonest.
RUN cargo install --quiet --locked --debug --version 0.7.7 cargo-auditable

# Another platform needs its linker, its glibc and its standard library of Rust. Its glibc is that of Debian for it: the
# packages for cross-compiling, `libc6-dev-arm64-cross`, lack what Debian has fixed since its release.
ARG BUILDARCH
ARG TARGETARCH
RUN case $TARGETARCH in \
      "$BUILDARCH") exit ;; \
      amd64) cpu=x86_64 gcc=gcc-x86-64-linux-gnu ;; \
      arm64) cpu=aarch64 gcc=gcc-aarch64-linux-gnu ;; \
      *) echo "There is no image for $TARGETARCH." >&2; exit 1 ;; \
    esac \
 && dpkg --add-architecture "$TARGETARCH" \
 && apt-get update -qq && apt-get install -qq --yes --no-install-recommends "$gcc" "libc6-dev:$TARGETARCH" \
 && rustup target add "$cpu-unknown-linux-gnu" \
 && sed -i "s/host-tuple/$cpu-unknown-linux-gnu/" .cargo/config.toml \
 && printf '[target.%s-unknown-linux-gnu]\nlinker = "%s-linux-gnu-gcc"\n' "$cpu" "$cpu" >> .cargo/config.toml

# What the services have beside the default: otlp exports spans.
ARG FEATURES=

# Dependencies, also those of the build script. cargo wants to see a library in each member of the workspace, and
# the files of each bench and test that a manifest names: the former are empty here, the latter are struck out.
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
 && for main in oneapi/src/main.rs twoapi/src/main.rs twoapi/build.rs; do echo 'fn main() {}' > "$main"; done \
 && cargo auditable build --locked --release --lib -p oneapi -p twoapi --features "$FEATURES"

# Sources, all but each main.rs, the only file that knows the version. cargo goes by modification
# times, and those in a checkout may be older than the empty files of above.
COPY chassis/src chassis/src
COPY load/src load/src
COPY oneapi/src oneapi/src
COPY twoapi/src twoapi/src
COPY twoapi/build.rs twoapi/
COPY twoapi/page twoapi/page
RUN touch */src/*.rs twoapi/build.rs && cargo auditable build --locked --release --lib -p oneapi -p twoapi --features "$FEATURES"

ARG VERSION
ARG COMMIT=unknown
RUN cargo auditable build --locked --release --bins -p oneapi -p twoapi --features "$FEATURES"

# Each image's files: the program, the licences of all that is linked into it, and its bill of materials. All
# have the same time, so that the same sources give the same layers.
COPY scripts/linked.sh scripts/
ARG SOURCE_DATE_EPOCH=0
RUN for service in oneapi twoapi; do \
      mkdir -p "/out/$service" && cp target/*/release/"$service" "/out/$service" \
      && scripts/linked.sh licenses "$service" > "/out/$service/licenses.txt" \
      && scripts/linked.sh sbom "$service" > "/out/$service/sbom.cdx.json" || exit; \
    done \
 && touch --date="@$SOURCE_DATE_EPOCH" /out/*/*

# Labels that differ from clone to clone, `make image` adds: when it was made, and from where. None names a base
# image, since there is none.
FROM scratch AS oneapi
ARG VERSION
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="oneapi" \
      org.opencontainers.image.description="chesterapi's first service: says its Pod's IP, and burns exactly as much CPU as it is asked to" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /out/oneapi/ /
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
COPY --from=build /out/twoapi/ /
USER 65532:65532
EXPOSE 5001
ENTRYPOINT ["/twoapi"]
