"""Print the JSON Schema of the messages.

``python -m mxtvhf.reporting.messages.schema > docs/messages.schema.json``
"""

import json
import sys

from mxtvhf.reporting.messages.model import messages_schema


def schema_text() -> str:
    """Return the published schema as text, in a stable order."""
    return json.dumps(messages_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
