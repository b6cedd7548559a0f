"""Requests to a service with valid and invalid input of its OpenAPI description, by schemathesis."""

import hypothesis
import schemathesis
from schemathesis.specs.openapi.checks import positive_data_acceptance


def asked_as_described(description, *, may_refuse=(), **options):
    """Test every operation against the description and return the number of operations.

    Operations of ``may_refuse``, such as ``POST /processing``, may refuse what is valid by the schema.
    """
    operations = [found.ok() for found in description.get_all_operations()]
    for operation in operations:
        # What has neither query nor body cannot be asked wrongly.
        takes_input = len(operation.query) or len(operation.body)
        for mode in schemathesis.GenerationMode if takes_input else [schemathesis.GenerationMode.POSITIVE]:

            @hypothesis.settings(max_examples=15, suppress_health_check=list(hypothesis.HealthCheck))
            @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
            def answers_as_described(case):
                excluded = [positive_data_acceptance] if case.operation.label in may_refuse else None
                case.call_and_validate(timeout=60, excluded_checks=excluded, **options)

            answers_as_described()
    return len(operations)
