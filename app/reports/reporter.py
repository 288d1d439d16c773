"""Reports as an installation gives them."""

from importlib.metadata import version

from app.images.decode import DecodeLimits, decode
from app.reports.content import Report, report_of
from app.reports.html import write_html
from app.reports.pdf import write_pdf
from app.service.explaining.dicom import report_object
from app.service.results.explanation import Record


class Reporter:
    """Writes reports of explanations; takes its time, and may be asked from many threads at once.

    Args:
        decode_limits: what decoding the upload once more may cost.
        notice: what every reader must know first.
        strip_phi: leave out of reports in DICOM all that may tell who the patient is.
    """

    def __init__(self, *, decode_limits: DecodeLimits, notice: str, strip_phi: bool = False) -> None:
        self._limits = decode_limits
        self._notice = notice
        self._strip_phi = strip_phi
        self._version = version("adversarial-explanations")

    def html(self, record: Record, file_name: str = "") -> bytes:
        """One file that needs nothing else; `file_name` of the upload, where it is known."""
        return write_html(self._report(record, file_name))

    def pdf(self, record: Record, file_name: str = "") -> bytes:
        """The same to print and to file."""
        return write_pdf(self._report(record, file_name))

    def dicom(self, record: Record, file_name: str = "") -> bytes:
        """The PDF as a DICOM object, in the study of the image that was explained; raises as `report_object` does."""
        return report_object(record, self.pdf(record, file_name), limits=self._limits, strip_phi=self._strip_phi)

    def _report(self, record: Record, file_name: str) -> Report:
        image = decode(record.upload, self._limits, record.options.selection).eight_bits()
        return report_of(record, image, notice=self._notice, version=self._version, file_name=file_name)
