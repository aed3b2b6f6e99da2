#!/bin/sh
# Starts the broker of server.properties on its records, after laying out their folder once.
set -eu
properties=${KAFKA_PROPERTIES:-/etc/kafka/server.properties}
data=$(sed -n 's/^log.dirs=//p' "$properties")
options=${KAFKA_JAVA_OPTIONS:--Xmx384m}
run() { exec java $options -cp '/opt/kafka/lib/*' "$@"; }
if ! [ -e "$data/meta.properties" ]; then
    # Any cluster's id is as good as another: one broker, one folder.
    (run kafka.tools.StorageTool format --standalone --cluster-id=d2F2ZWZpZXItdHJpYWw0MA \
        "--config=$properties")
fi
run kafka.Kafka "$properties"
