# Usher in a container: the server, not root, nothing written but /data.
#
#   docker build --tag usher .
#   docker run --read-only --volume usher-data:/data --volume ./rules:/etc/usher:ro \
#       --publish 127.0.0.1:7460:7460 usher serve \
#       --policy /etc/usher/policy.toml --roster /etc/usher/roster.toml
#
# There is no access control yet: publish the port to no network that is not your own.

# A build that has to be the same in a year names a digest: --build-arg BASE=debian@sha256:...
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
# Two environments: what is run later has no pip.
RUN python3 -m venv /pip && python3 -m venv --without-pip /opt/usher
WORKDIR /source
# All of the lock, checked by its hashes: it holds what the build needs as well.
COPY requirements.lock ./
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN /pip/bin/pip download --require-hashes --no-deps --only-binary=:all: \
        --dest /wheels --requirement requirements.lock
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY proto proto
COPY queue queue
COPY router router
COPY simulation simulation
# From here on there is no index: the build's isolated environment and the choice of what the
# server needs see nothing but the checked wheels.
ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels
RUN /pip/bin/pip wheel --no-deps --wheel-dir /wheels . \
    && /pip/bin/pip --python /opt/usher/bin/python install 'usher-router[fast,redis]'

FROM ${BASE}
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 usher \
    && useradd --uid 10001 --gid usher --no-create-home --shell /usr/sbin/nologin usher \
    && install --directory --owner=usher --group=usher --mode=700 /data
COPY --from=build /opt/usher /opt/usher
# PYTHONSAFEPATH: the working directory is no place to import from.
# Loopback inside a container reaches nobody, so it listens on all of its own interfaces.
ENV PATH=/opt/usher/bin:/usr/bin:/bin \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    USHER_DATA_DIR=/data \
    USHER_LISTEN=0.0.0.0:7460 \
    USHER_LOG_FORMAT=json
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
EXPOSE 7460
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["usher", "health"]
ENTRYPOINT ["usher"]
CMD ["serve"]
