"""Records the schemas of what the chart makes, from Kubernetes' own OpenAPI.

Run by hand, with the path of `api/openapi-spec/swagger.json` of the Go module k8s.io/kubernetes
(Apache-2.0), which `go mod download k8s.io/kubernetes@v1.34.4` brings. Descriptions stay out; a
key that is not known is refused.

That of a FlinkDeployment is written after the reference of custom resources in the documentation of
Apache Flink's Kubernetes operator (Apache-2.0; commit 0121afba of its repository, operator 1.10),
with Kubernetes' own pod templates in it.
"""

import json
import sys
from pathlib import Path

KINDS = (
    "io.k8s.api.apps.v1.Deployment",
    "io.k8s.api.apps.v1.StatefulSet",
    "io.k8s.api.batch.v1.Job",
    "io.k8s.api.core.v1.ConfigMap",
    "io.k8s.api.core.v1.PersistentVolumeClaim",
    "io.k8s.api.core.v1.Pod",
    "io.k8s.api.core.v1.Service",
    "io.k8s.api.core.v1.ServiceAccount",
    "io.k8s.api.networking.v1.NetworkPolicy",
    "io.k8s.api.policy.v1.PodDisruptionBudget",
    "io.k8s.api.rbac.v1.Role",
    "io.k8s.api.rbac.v1.RoleBinding",
)
VERSION = "Kubernetes 1.34.4"
REF = "#/definitions/"
# A quantity and a port may be numbers too, which OpenAPI 2 cannot say.
EITHER = {"int-or-string", "quantity"}


def plain(node: object) -> object:
    """Drop what validates nothing, and refuse unknown keys of objects with known ones."""
    if isinstance(node, list):
        return [plain(one) for one in node]
    if not isinstance(node, dict):
        return node
    kept = {
        key: plain(value)
        for key, value in node.items()
        if not key.startswith("x-") and (key != "description" or isinstance(value, dict))
    }
    if node.get("format") in EITHER or node.get("x-quantity"):
        return {"type": ["string", "number"]}
    if isinstance(kept.get("properties"), dict) and "type" in kept:
        kept["properties"] = {key: plain(value) for key, value in node["properties"].items()}
        kept.setdefault("additionalProperties", False)
    return kept


def needed(name: str, all_of_them: dict, found: dict) -> dict:
    """Collect a definition and those it refers to."""
    if name not in found:
        definition = dict(all_of_them[name])
        if name.endswith(".Quantity"):
            definition["x-quantity"] = True
        found[name] = plain(definition)
        for part in json.dumps(found[name]).split(f'"{REF}')[1:]:
            needed(part.partition('"')[0], all_of_them, found)
    return found


TEXT, NUMBER, WHOLE, SWITCH = ({"type": one} for one in ("string", "number", "integer", "boolean"))
TEXTS = {"type": "object", "additionalProperties": TEXT}
POD = "io.k8s.api.core.v1.PodTemplateSpec"


def known(**fields: object) -> dict:
    """Give the schema of an object with these keys and no others."""
    return {"type": "object", "additionalProperties": False, "properties": fields}


def flink_deployment() -> dict:
    """Give the schema of a FlinkDeployment, without its status."""
    template = {"$ref": f"{REF}{POD}"}
    resource = known(cpu=NUMBER, memory=TEXT, ephemeralStorage=TEXT)
    part = known(resource=resource, replicas=WHOLE, podTemplate=template)
    nonces = ("savepointTriggerNonce", "checkpointTriggerNonce", "savepointRedeployNonce")
    job = known(
        **dict.fromkeys(("jarURI", "entryClass", "initialSavepointPath"), TEXT),
        **dict.fromkeys(("parallelism", *nonces), WHOLE),
        args={"type": "array", "items": TEXT},
        state={"enum": ["running", "suspended"]},
        upgradeMode={"enum": ["savepoint", "last-state", "stateless"]},
        initialStateReference=known(namespace=TEXT, name=TEXT, path=TEXT),
        allowNonRestoredState=SWITCH,
    )
    spec = known(
        **dict.fromkeys(("image", "imagePullPolicy", "serviceAccount"), TEXT),
        job=job,
        restartNonce=WHOLE,
        flinkConfiguration=TEXTS,
        flinkVersion={"enum": [f"v1_{minor}" for minor in range(13, 21)]},
        ingress={"type": "object"},
        podTemplate=template,
        jobManager=part,
        taskManager=part,
        logConfiguration=TEXTS,
        mode={"enum": ["native", "standalone"]},
    )
    top = known(
        apiVersion={"enum": ["flink.apache.org/v1beta1"]},
        kind={"enum": ["FlinkDeployment"]},
        metadata={"$ref": f"{REF}io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"},
        spec=spec,
    )
    return {**top, "required": ["apiVersion", "kind", "metadata", "spec"]}


def main() -> None:
    """Write a file for each kind, as kubeconform looks for them."""
    swagger = json.loads(Path(sys.argv[1]).read_text())
    folder = Path(__file__).parent / "kubernetes"
    folder.mkdir(exist_ok=True)
    for name in KINDS:
        found = needed(name, swagger["definitions"], {})
        given = swagger["definitions"][name]["x-kubernetes-group-version-kind"][0]
        group = given["group"].partition(".")[0]
        parts = [given["kind"].lower(), *([group] if group else []), given["version"]]
        top = {**found.pop(name), "definitions": dict(sorted(found.items()))}
        version = f"{given['group']}/{given['version']}".lstrip("/")
        top["properties"]["kind"] = {"enum": [given["kind"]]}
        top["properties"]["apiVersion"] = {"enum": [version]}
        top["required"] = ["apiVersion", "kind", "metadata"]
        top["$comment"] = f"{VERSION}, Apache-2.0"
        text = json.dumps(top, separators=(",", ":"))
        (folder / f"{'-'.join(parts)}.json").write_text(text + "\n")
    found = needed(POD, swagger["definitions"], {})
    flink = {**flink_deployment(), "definitions": dict(sorted(found.items()))}
    text = json.dumps(flink, separators=(",", ":"))
    (folder / "flinkdeployment-flink-v1beta1.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
