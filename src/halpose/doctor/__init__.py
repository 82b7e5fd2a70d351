"""What is wrong with recordings: `halpose data doctor`.

    examination = examine("recordings")
    for finding in examination.findings:
        print(finding.severity, finding.check, finding.where, finding.what)

Every clip is looked at by itself, then the set by the few numbers that are remembered of each clip. `CHECKS` names what
is looked for, `thresholds` says where lines are drawn and why, and `mend_store` writes a store in which what can be
mended is.
"""

from halpose.doctor.checks import CHECKS, Check
from halpose.doctor.examine import examine
from halpose.doctor.finding import SEVERITIES, Finding, Place
from halpose.doctor.report import Examination

__all__ = ["CHECKS", "SEVERITIES", "Check", "Examination", "Finding", "Place", "examine"]
