"""Print the JSON Schema of the report.

``python -m mxtvhf.reporting.report.schema > docs/report.schema.json``
"""

import json
import sys

from mxtvhf.reporting.report.model import report_schema


def schema_text() -> str:
    """Return the published schema as text, in a stable order."""
    return json.dumps(report_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
