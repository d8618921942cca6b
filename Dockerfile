# Runs Bobbin on the official Node image: no build step, no development dependencies, not as root.
#   docker build -t bobbin .
#   docker run -p 3000:3000 -v bobbin:/data -e CONSOLE_PASSWORD=… -e OPENAI_API_KEY=… bobbin
FROM node:24-slim

ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 DATA_DIR=/data
WORKDIR /app

COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev
COPY src ./src
COPY adapters ./adapters
COPY examples ./examples

# For the code interpreter, which is off unless CODE_INTERPRETER=local: numpy, pandas and matplotlib, in the version
# that goes with the Pyodide installed above. Where they cannot be fetched: --build-arg PYTHON_PACKAGES=none
ARG PYTHON_PACKAGES=usual
ENV PYODIDE_PACKAGES=/opt/pyodide
RUN mkdir /opt/pyodide && \
  if [ "$PYTHON_PACKAGES" = usual ]; then node adapters/pyodide/fetch-packages.ts /opt/pyodide; fi

RUN mkdir /data && chown node:node /data
VOLUME /data
USER node

EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --start-period=20s --interval=30s --timeout=5s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/readyz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]

CMD ["node", "src/main.ts"]
