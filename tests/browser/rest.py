"""When a page of the app is at rest: every call that it made of the server has been answered.

A page of Gradio answers a click by a call (`queue/join`) whose result comes on a stream
(`queue/data`), and may make further calls because of what the result changed.
"""

from typing import Any

# Keeps in the page the calls that have no answer yet, and counts the frames drawn since the last.
WATCH = """(() => {
  const calls = new Set(), over = new Set(), send = window.fetch;
  let starting = 0, frames = 0;

  async function follow(stream) {
    const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ''; ;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split('\\n\\n');
      rest = lines.pop();
      lines.filter((line) => line.startsWith('data:')).forEach((line) => {
        const { msg, event_id: id } = JSON.parse(line.slice(5));
        if (msg !== 'process_completed') return;
        calls.delete(id);
        over.add(id);
      });
    }
  }

  async function called(where, how) {
    starting += 1;
    try {
      const answer = await send(where, how);
      const { event_id: id } = await answer.clone().json().catch(() => ({}));
      if (id && !over.has(id)) calls.add(id);
      return answer;
    } finally { starting -= 1; }
  }

  window.fetch = async (where, how) => {
    const { pathname } = new URL(where.url || where, location.href);
    if (/[/](queue[/]join|run[/][^/]+)$/.test(pathname)) return called(where, how);
    const answer = await send(where, how);
    if (!pathname.endsWith('/queue/data') || !answer.body) return answer;
    const [mine, theirs] = answer.body.tee();
    follow(mine).catch(() => {});  // the page was left
    return new Response(theirs, answer);
  };
  const count = () => {
    frames = starting || calls.size ? 0 : frames + 1;
    requestAnimationFrame(count);
  };
  requestAnimationFrame(count);
  window.rest = { again: () => { frames = 0; }, since: () => frames };
})()"""
# a result is drawn in one frame, and what follows from it is called for in the next
AT_REST = "() => window.rest.since() > 3"


def watched(page: Any) -> Any:
    """The page, which says from its next address on whether it is at rest."""
    page.add_init_script(WATCH)
    return page


def wait(page: Any) -> None:
    """Until every call is answered and what came of it is drawn."""
    page.evaluate("window.rest.again()")
    page.wait_for_function(AT_REST)
