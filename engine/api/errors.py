"""Refusals in the shape that OpenAI's clients read: message, type, param and code."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from engine.core.errors import UserError
from engine.models.request_scheduler import TooLong

Wire = dict[str, object]  # what goes out as JSON

log = logging.getLogger("tuneloop.api")
INVALID = "invalid_request_error"
TYPES = {401: INVALID, 403: "permission_error", 429: "rate_limit_error"}
CODES = {
    401: "invalid_api_key",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    413: "too_large",
    429: "rate_limit_exceeded",
    503: "overloaded",
}


class Refused(Exception):
    """A request that is refused: a sentence, the field that is at fault, and OpenAI's code."""

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        status: int = 400,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.param, self.code = message, param, code
        self.status, self.headers = status, headers


def body(message: str, status: int, param: str | None = None, code: str | None = None) -> Wire:
    """The JSON of a refusal."""
    kind = TYPES.get(status, "server_error" if status >= 500 else INVALID)
    return {
        "error": {
            "message": message,
            "type": kind,
            "param": param,
            "code": code or CODES.get(status),
        }
    }


def of_user_error(error: UserError) -> tuple[Wire, int]:
    """The JSON and the status of a sentence that a service refuses with."""
    status = 400 if error.status == 422 else error.status
    code = "context_length_exceeded" if isinstance(error, TooLong) else None
    param = "messages" if isinstance(error, TooLong) else None
    return body(str(error), status, param, code), status


def response(error: Exception) -> JSONResponse:
    """The answer to a request that is refused by `Refused` or a UserError."""
    if isinstance(error, Refused):
        found = body(error.message, error.status, error.param, error.code)
        return JSONResponse(found, error.status, headers=error.headers)
    if not isinstance(error, UserError):
        raise error
    found, status = of_user_error(error)
    headers = {"www-authenticate": "Bearer"} if status == 401 else None
    return JSONResponse(found, status, headers=headers)


def install(app: FastAPI) -> None:
    """Let `app` answer every error in this shape."""

    @app.exception_handler(Refused)
    @app.exception_handler(UserError)
    async def refused(_request: Request, error: Exception) -> JSONResponse:
        return response(error)

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        named = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
        param = ".".join(named) or None
        return JSONResponse(body(f"{param or 'The body'}: {first['msg']}.", 400, param), 400)

    @app.exception_handler(HTTPException)
    async def unknown(_request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse(body(f"{error.detail}.", error.status_code), error.status_code)

    @app.exception_handler(Exception)
    async def failed(_request: Request, error: Exception) -> JSONResponse:
        log.error("a request failed", exc_info=error)
        sentence = "Something went wrong in the program; the log has the details."
        return JSONResponse(body(sentence, 500), 500)
