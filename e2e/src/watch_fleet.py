# Kubernetes' Python client against a fleet, by a token: lists pods and daemonsets, then watches both until each was seen
# to change. Prints what it saw as lines of JSON. Arguments: server, file of the CA, token, namespace.
import json
import sys
import threading

from kubernetes import client, watch

server, ca_file, token, namespace = sys.argv[1:]
configuration = client.Configuration(host=server)
configuration.ssl_ca_cert = ca_file
configuration.api_key = {"authorization": "Bearer " + token}
api = client.ApiClient(configuration)
core, apps = client.CoreV1Api(api), client.AppsV1Api(api)
lock = threading.Lock()


def say(**what):
    with lock:
        print(json.dumps(what), flush=True)


def follow(kind, list_them):
    listed = list_them(namespace)
    say(
        listed=kind,
        names=[one.metadata.name for one in listed.items],
        nodes=[getattr(one.spec, "node_name", None) for one in listed.items],
    )
    since = listed.metadata.resource_version
    for event in watch.Watch().stream(list_them, namespace, resource_version=since, timeout_seconds=120):
        one = event["object"]
        say(watched=kind, type=event["type"], name=one.metadata.name, labels=one.metadata.labels)
        if event["type"] == "DELETED":
            return


threads = [
    threading.Thread(target=follow, args=("pods", core.list_namespaced_pod)),
    threading.Thread(target=follow, args=("daemonsets", apps.list_namespaced_daemon_set)),
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
