"""The table of the judgement: facts, and the finding they lead to."""

from tests.doctor.cases_interface import CASES_OF_INTERFACES
from tests.doctor.cases_machine import CASES_OF_MACHINES
from tests.doctor.cases_peer import CASES_OF_PEERS

CASES = (*CASES_OF_MACHINES, *CASES_OF_INTERFACES, *CASES_OF_PEERS)
