# The command line, in an image of nothing else:
#
#   docker build -t larder --build-arg VERSION=0.1.0 .    (without VERSION it says that it is a development's)
#   docker run --rm larder explain 'SELECT * FROM stuff' --dialect postgres
#   docker run --rm -v /var/log/postgresql:/logs:ro larder analyze /logs/postgresql-15-main.log
#
# Static, without a shell, and not run by root.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS
ARG TARGETARCH
ARG VERSION
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -ldflags "-s -w ${VERSION:+-X main.stamped=v$VERSION}" -o /larder ./cmd/larder

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /larder /usr/local/bin/larder
USER nonroot
ENTRYPOINT ["/usr/local/bin/larder"]
