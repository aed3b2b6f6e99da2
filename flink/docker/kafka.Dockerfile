# One Kafka broker that is its own controller, for trials; a real one is bigger than a pod.
# The context is the root of the repository, after `make kafka-jars`.
ARG BASE=localhost/debian:bookworm-slim

FROM ${BASE}
ARG BASE
ARG BASE_DIGEST
ARG SNAPSHOT
ARG JAVA
ARG KAFKA
LABEL org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}" \
      org.opencontainers.image.title="wavefier kafka" \
      org.opencontainers.image.version="${KAFKA}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV DEBIAN_FRONTEND=noninteractive
COPY flink/docker/sources.sh /tmp/sources.sh
RUN sh /tmp/sources.sh ${SNAPSHOT} && rm /tmp/sources.sh \
    && mkdir -p /usr/share/man/man1 && apt-get update -q \
    && apt-get install -qy --no-install-recommends openjdk-${JAVA}-jre-headless \
    && apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/*.log /var/log/apt
COPY flink/kafka/target/lib /opt/kafka/lib
COPY flink/docker/kafka.sh /opt/kafka/bin/kafka
RUN chmod 755 /opt/kafka/bin/kafka && mkdir -p /usr/share/wavefier && { \
         echo "${BASE} ${BASE_DIGEST} base"; echo "debian ${SNAPSHOT} snapshot"; \
         dpkg-query --show --showformat '${Package} ${Version} deb\n'; \
         ls /opt/kafka/lib | sed 's/\.jar$/ jar/'; \
       } > /usr/share/wavefier/packages.txt
ENV PATH=/opt/kafka/bin:/usr/local/bin:/usr/bin:/bin HOME=/tmp
USER 10001:10001
WORKDIR /tmp
CMD ["kafka"]
