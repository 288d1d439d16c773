# The server with its default model. CUDA by default; for a machine without: docker build --build-arg VARIANT=cpu .
#
# A plain Python image is enough for CUDA: torch's wheels bring the CUDA libraries, and the NVIDIA container toolkit
# brings the driver's. An nvidia/cuda base would add the same libraries once more.
FROM python:3.11-slim

ARG VARIANT=cuda
# Where VARIANT=cpu takes torch from: the builds without CUDA are not on the package index itself.
ARG CPU_WHEELS=https://download.pytorch.org/whl/cpu

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /srv/aex

# The dependencies, several GB with CUDA, in layers of their own: a change of the source leaves them as they are.
# Without the dependencies of torch here, so that only torch itself comes from the other index.
COPY constraints.txt ./
RUN case "$VARIANT" in \
        cpu) pip install --constraint constraints.txt --no-deps --index-url "$CPU_WHEELS" torch torchvision ;; \
        cuda) ;; \
        *) echo "VARIANT is cuda or cpu, not $VARIANT." >&2; exit 1 ;; \
    esac
COPY pyproject.toml ./
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
        > requirements.txt \
    && pip install --constraint constraints.txt --requirement requirements.txt

COPY README.md ./
COPY app ./app
RUN pip install --no-deps .

# A default model, so that the image answers by itself; mount a folder of models here, read-only, to serve others.
COPY models /models

RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin aex
USER 10001:10001

# NVIDIA_DRIVER_CAPABILITIES: computing and nvidia-smi, no graphics. Nothing is written beside the code.
ENV AEX_MODELS_DIR=/models \
    MPLCONFIGDIR=/tmp/matplotlib \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

EXPOSE 8000

# Ready, not only alive: models loaded and warm. No proxy of the environment may stand between.
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "from urllib.request import ProxyHandler, build_opener; build_opener(ProxyHandler({})).open('http://127.0.0.1:8000/readyz', timeout=4)"]

# SIGTERM lets running answers finish; see stop_grace_period in docker-compose.yml.
STOPSIGNAL SIGTERM
CMD ["aex", "serve", "--host", "0.0.0.0", "--port", "8000"]
