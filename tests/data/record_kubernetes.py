"""Records the schemas of what the chart makes, from Kubernetes' own OpenAPI.

Run by hand, with the path of `api/openapi-spec/swagger.json` of the Go module k8s.io/kubernetes
(Apache-2.0), which `go mod download k8s.io/kubernetes@v1.34.4` brings. Descriptions stay out; a
key that is not known is refused.

That of a FlinkDeployment is the operator's own, of its custom resource's definition: the second
argument is the path of `flink-kubernetes-operator-api-1.10.0.jar` (Maven, org.apache.flink;
Apache-2.0). Those of Prometheus' operator were cut by hand to what the chart writes.
"""

import json
import sys
import zipfile
from pathlib import Path

import yaml

KINDS = (
    "io.k8s.api.apps.v1.Deployment",
    "io.k8s.api.apps.v1.StatefulSet",
    "io.k8s.api.batch.v1.Job",
    "io.k8s.api.core.v1.ConfigMap",
    "io.k8s.api.core.v1.PersistentVolumeClaim",
    "io.k8s.api.core.v1.Pod",
    "io.k8s.api.core.v1.Secret",
    "io.k8s.api.core.v1.Service",
    "io.k8s.api.core.v1.ServiceAccount",
    "io.k8s.api.networking.v1.NetworkPolicy",
    "io.k8s.api.policy.v1.PodDisruptionBudget",
    "io.k8s.api.rbac.v1.Role",
    "io.k8s.api.rbac.v1.RoleBinding",
)
DEFINITION = "META-INF/fabric8/flinkdeployments.flink.apache.org-v1.yml"
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


def flink_deployment(jar: str) -> dict:
    """Return the schema of a FlinkDeployment, without its status, as the operator defines it."""
    with zipfile.ZipFile(jar) as file:
        (version,) = yaml.safe_load(file.read(DEFINITION))["spec"]["versions"]
    spec = closed(version["schema"]["openAPIV3Schema"]["properties"]["spec"])
    # The same three times.
    template = spec["properties"]["podTemplate"]
    for part in (spec, *(spec["properties"][name] for name in ("jobManager", "taskManager"))):
        assert part["properties"]["podTemplate"] == template
        part["properties"]["podTemplate"] = {"$ref": f"{REF}podTemplate"}
    known = {
        "apiVersion": {"enum": [f"flink.apache.org/{version['name']}"]},
        "kind": {"enum": ["FlinkDeployment"]},
        "metadata": {"type": "object"},
        "spec": spec,
    }
    return {
        **{"type": "object", "additionalProperties": False},
        **{"properties": known, "required": [*known], "definitions": {"podTemplate": template}},
        "$comment": "Apache Flink's Kubernetes operator 1.10.0, Apache-2.0",
    }


def closed(node: object) -> object:
    """Drop what validates nothing, and refuse unknown keys, as the API server does if asked."""
    if isinstance(node, list):
        return [closed(one) for one in node]
    if not isinstance(node, dict):
        return node
    kept = {key: closed(value) for key, value in node.items() if not key.startswith("x-")}
    if isinstance(node.get("properties"), dict):
        kept.setdefault("additionalProperties", False)
    return kept


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
    text = json.dumps(flink_deployment(sys.argv[2]), separators=(",", ":"))
    (folder / "flinkdeployment-flink-v1beta1.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
