"""Write the event lists and digests anew, from phase 1: ``python -m contract.vectors``.

The scripts and the limits in the manifest are written by hand; look at the difference before
you keep it, because every engine will be held to it.
"""

import json

from contract.canonical import image_hash
from contract.files import EventListWriter, read_script
from contract.records import to_event_array
from contract.suite.flow import flow
from contract.suite.probe import oracle_class
from contract.vectors import FOLDER, MANIFEST, Outcome, digest, read_manifest, run


def main() -> None:
    """Regenerate every file that is derived."""
    manifest = read_manifest()
    for name, entry in manifest["scripts"].items():
        engine = oracle_class()(**entry["limits"])
        events, outcome = run(engine, list(read_script(FOLDER / f"{name}.csv")))
        with EventListWriter(FOLDER / f"{name}.events.csv") as writer:
            writer.write(to_event_array(events))
        entry["outcome"] = outcome.to_json()
        print(f"{name}: {outcome.event_count} events")
    for name, entry in manifest["streams"].items():
        it = flow(name, entry["seed"], entry["count"])
        entry["commands_blake2b"] = digest(it.records)
        count = sum(map(len, it.events)) // 64
        entry["outcome"] = Outcome(count, digest(it.events), image_hash(it.image)).to_json()
        print(f"stream {name}: {count} events")
    MANIFEST.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
