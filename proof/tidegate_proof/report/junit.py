"""The outcome as JUnit XML: what CI systems show. Each threshold, validity check and control is a test case."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from tidegate_proof.report.wording import visible


@dataclass(frozen=True, slots=True)
class Case:
    """What was judged.

    Attributes:
        group: threshold, validity, control or record.
        name: Of it.
        passed: Whether it held; None where it was not judged.
        message: Figures against limits, or why it was not judged.
    """

    group: str
    name: str
    passed: bool | None
    message: str


@dataclass(frozen=True, slots=True)
class Suite:
    """A run's cases.

    Attributes:
        name: Of the suite; a case's class name is the same with the case's group.
        started: When the run began, ISO 8601 without a zone, in UTC.
        host: Where it ran.
        seconds: It took.
        properties: Names and values that identify it.
        cases: What was judged.
    """

    name: str
    started: str
    host: str
    seconds: float
    properties: Sequence[tuple[str, str]]
    cases: Sequence[Case]


def junit(suites: Sequence[Suite]) -> str:
    """Write suites as the XML that Ant's JUnit task defined and CI systems read.

    The order of elements and the attributes that must be there are those of the schema that Jenkins' xUnit plug-in and
    Ant's users share: properties, test cases (each with skipped or failure), system-out, system-err.
    """
    root = ET.Element("testsuites")
    for number, suite in enumerate(suites):
        root.append(_suite(number, suite))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(number: int, suite: Suite) -> ET.Element:
    element = ET.Element(
        "testsuite",
        id=str(number),
        package="tidegate-proof",
        name=visible(suite.name),
        timestamp=visible(suite.started),
        hostname=visible(suite.host),
        tests=str(len(suite.cases)),
        failures=str(sum(case.passed is False for case in suite.cases)),
        errors="0",
        skipped=str(sum(case.passed is None for case in suite.cases)),
        time=f"{suite.seconds:.3f}",
    )
    properties = ET.SubElement(element, "properties")
    for name, value in suite.properties:
        ET.SubElement(properties, "property", name=visible(name), value=visible(value))
    for case in suite.cases:
        element.append(_case(suite, case))
    for output in ("system-out", "system-err"):
        ET.SubElement(element, output)
    return element


def _case(suite: Suite, case: Case) -> ET.Element:
    classname = f"{visible(suite.name)}.{case.group}"
    element = ET.Element("testcase", name=visible(case.name), classname=classname, time="0")
    if case.passed is None:
        ET.SubElement(element, "skipped", message=visible(case.message))
    elif not case.passed:
        failure = ET.SubElement(element, "failure", message=visible(case.message), type=case.group)
        failure.text = visible(case.message)
    return element
