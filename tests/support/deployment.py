"""A configuration file with its secrets, as a deployer would write it."""

import json
from pathlib import Path

PASSWORD = "s3cret/of: the@database"
FILE = """
state = "{state}"
airflow_url = "http://api-server:8080/"
airflow_password_file = "{folder}/users"
nats_url = "nats://nats:4222"
nats_credentials = "{folder}/nats"

[users]
ada = "user"

[airflow]
project = "{folder}"
public_url = "https://mxt.example.org"
fernet_key = "{folder}/fernet"
jwt_secret = "{folder}/jwt"

[database]
host = "postgres"
password = "{folder}/postgres"

[redis]
host = "redis"
password = "{folder}/redis"

[nats]
stations = "{folder}/stations"

[gp]
url = "http://gp.example.org:8765/api"
"""


def write_deployment(folder: Path) -> Path:
    """Write all into a folder and return the configuration file."""
    secrets = {
        "users": json.dumps({"admin": "a", "ada": "b", "intake": "c"}),
        "nats": "mxtvhf:n",
        "fernet": "A" * 43 + "=",
        "jwt": "j" * 43,
        "postgres": PASSWORD,
        "redis": PASSWORD,
        "stations": json.dumps({"kourou": "k"}),
    }
    for name, text in secrets.items():
        path = folder / name
        path.touch(0o600)
        path.write_text(f"{text}\n")
    state = folder / "state"
    state.mkdir()
    config = folder / "mxtvhf.toml"
    config.write_text(FILE.format(folder=folder, state=state))
    return config
