"""Set-up of accounts with apache-airflow-providers-fab, which stores them in the database.

``python -m mxtvhf_airflow.accounts FILE USER=ROLE...`` creates or upgrades Airflow's tables. It then creates
or updates the accounts of the configuration file with their roles and passwords. Other accounts are not
changed. ``airflow users create`` and ``airflow users reset-password`` are not used, because they take
passwords as arguments, which every user of the machine can read.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from mxtvhf_airflow.command_line import run_airflow


def main() -> None:
    """Create the tables and the accounts."""
    file, *accounts = sys.argv[1:]
    # In this process, because a second one would import Airflow again.
    sys.argv = ["airflow", "db", "migrate"]
    # The provider loads plugins for their Flask pages. Ours have none and take 1.5 s of CPU to import.
    os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = os.devnull
    run_airflow()
    set_up_accounts(json.loads(Path(file).read_bytes()), dict(account.split("=") for account in accounts))


def set_up_accounts(passwords: Mapping[str, str], roles: Mapping[str, str]) -> None:
    """Create accounts, or update the roles and passwords of existing ones.

    Parameters
    ----------
    passwords
        Passwords by user.
    roles
        FAB's names of the roles by user.
    """
    # Imported here, because the provider is optional.
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        manager = builder.sm
        manager.sync_roles()
        for user, role_name in roles.items():
            password, role = passwords[user], manager.find_role(role_name)
            account = manager.find_user(username=user)
            if account is None:
                manager.add_user(user, user, "account", f"{user}@mxtvhf.invalid", role, password=password)
                print(f"account {user} created with role {role_name}")
                continue
            if account.roles != [role]:
                account.roles = [role]
                manager.update_user(account)
                print(f"account {user}: role changed to {role_name}")
            if not manager.check_password(user, password):
                manager.reset_password(account.id, password)
                print(f"account {user}: password changed")


if __name__ == "__main__":
    main()
