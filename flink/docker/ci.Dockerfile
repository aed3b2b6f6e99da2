# What CI's jobs run in: Python 3.11, make, Java with Maven, Go, Prometheus, and what
# builds and signs images.
# Built by the job ci-image; after a change, raise CI_IMAGE_TAG in .gitlab-ci.yml.
ARG GO=docker.io/library/golang:1.24-bookworm
ARG BASE=docker.io/library/python:3.11-bookworm

FROM ${GO} AS go
# Signs images, where there is a key.
RUN GOBIN=/made CGO_ENABLED=0 go install -trimpath github.com/sigstore/cosign/v2/cmd/cosign@v2.5.3

FROM ${BASE}
ARG SNAPSHOT=none
ENV DEBIAN_FRONTEND=noninteractive
COPY flink/docker/sources.sh /tmp/sources.sh
RUN sh /tmp/sources.sh ${SNAPSHOT} && apt-get update -q && apt-get install -qy --no-install-recommends \
        buildah debootstrap git iproute2 make maven openjdk-17-jdk-headless openssl prometheus util-linux \
    && apt-get clean && rm -rf /var/lib/apt/lists/* /tmp/sources.sh
COPY --from=go /usr/local/go /usr/local/go
COPY --from=go /made/cosign /usr/local/bin/cosign
ENV PATH=/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
