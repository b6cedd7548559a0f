"""The accounts of an installation with apache-airflow-providers-fab, which keeps them in the database.

``python -m mxtvhf_airflow.accounts FILE USER=ROLE...`` makes or upgrades Airflow's tables, then the accounts
of the configuration file: each gets its role, and its password of the file. Accounts of other people stay as
they are. The work is that of ``airflow users create`` and ``airflow users reset-password``, which take
passwords as arguments, where every user of the machine could read them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def main() -> None:
    """Make the tables and the accounts."""
    file, *accounts = sys.argv[1:]
    done = subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    set_up_accounts(json.loads(Path(file).read_bytes()), dict(account.split("=") for account in accounts))


def set_up_accounts(passwords: Mapping[str, str], roles: Mapping[str, str]) -> None:
    """Make accounts, or give existing ones the role and the password that they shall have.

    Parameters
    ----------
    passwords
        By user.
    roles
        FAB's name of the role, by user.
    """
    # Not installed everywhere.
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        manager = builder.sm
        manager.sync_roles()
        for user, role_name in roles.items():
            password, role = passwords[user], manager.find_role(role_name)
            account = manager.find_user(username=user)
            if account is None:
                manager.add_user(user, user, "account", f"{user}@mxtvhf.invalid", role, password=password)
                print(f"account {user} made, role {role_name}")
                continue
            if account.roles != [role]:
                account.roles = [role]
                manager.update_user(account)
                print(f"account {user}: role {role_name}")
            if not manager.check_password(user, password):
                manager.reset_password(account.id, password)
                print(f"account {user}: new password")


if __name__ == "__main__":
    main()
