"""The rating routes on a real database, in processes that are there to be killed.

Imports once, then forks a server for every line on its input: a start costs a database that is
opened, not the libraries. Says the process id of each right before it listens.
"""

import os
import sys

import uvicorn
from fastapi import FastAPI

from engine.workspace import open_workspace
from ui.pages.rating import routes


def serve(port: int) -> None:
    ws = open_workspace()
    app = FastAPI()
    app.include_router(routes.router(ws))
    print(os.getpid(), flush=True)
    uvicorn.Server(uvicorn.Config(app, port=port, log_level="error")).run()


def main() -> None:
    print("imported", flush=True)
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            serve(int(sys.argv[1]))
            os._exit(1)
        os.waitpid(child, 0)
        print("gone", flush=True)


if __name__ == "__main__":
    main()
