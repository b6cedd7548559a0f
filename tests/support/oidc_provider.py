"""A real OpenID Connect provider (npm's oidc-provider) on loopback, and a browser's way through it."""

import json
import os
import re
import subprocess
import time
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import requests

from support.ldap_server import PEOPLE
from support.nats_server import free_port
from support.project import PROJECT

CLIENT_ID, CLIENT_SECRET = "mxtvhf", "canary-client-secret"


class OidcProvider:
    """A provider that knows `support.ldap_server.PEOPLE` and their groups.

    Parameters
    ----------
    folder
        For settings and log.
    certificate, key, ca
        PEM files of the server.
    redirect_uri
        Where it may send browsers back to.
    """

    def __init__(self, folder: Path, certificate: Path, key: Path, ca: Path, redirect_uri: str):
        folder.mkdir()
        port = free_port()
        self.issuer, self._ca = f"https://localhost:{port}", ca
        self._settings, self._log = folder / "settings.json", folder / "log"
        modules = PROJECT / os.environ.get("VENV", ".venv") / "oidc-provider"
        self._settings.write_text(
            json.dumps(
                {
                    "issuer": self.issuer,
                    "port": port,
                    "certificate": str(certificate),
                    "key": str(key),
                    "client_id": CLIENT_ID,
                    "client_secret": CLIENT_SECRET,
                    "redirect_uri": redirect_uri,
                    "groups": PEOPLE,
                    "modules": str(modules),
                }
            )
        )
        self._process = None

    def __enter__(self):
        command = ["node", str(Path(__file__).with_suffix(".mjs")), str(self._settings)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 60
        while "listening" not in self._log.read_text():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the OpenID provider does not start:\n{self._log.read_text()}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_error):
        self._process.terminate()
        self._process.wait(20)

    def log_in(self, url, name):
        """Log in to the web UI as a browser does; return the session, with the cookies of that user."""
        browser = requests.Session()
        browser.verify = str(self._ca)
        browser.trust_env = False  # else REQUESTS_CA_BUNDLE goes before it
        page = browser.get(f"{url}/auth/login/sso", timeout=60)
        for _ in range(2):  # who it is, then the consent
            (action,) = re.findall(r'<form[^>]*action="([^"]+)"', page.text)
            (prompt,) = re.findall(r'name="prompt" value="([^"]+)"', page.text)
            answer = {"prompt": prompt, "login": name, "password": "any"}
            page = browser.post(urljoin(page.url, unescape(action)), data=answer, timeout=60)
        return browser
