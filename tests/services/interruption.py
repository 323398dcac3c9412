"""Something else that happens between the looking and the doing of a process."""


class Interrupted:
    """A client between whose looking and setting another process registers, once."""

    def __init__(self, client, before, other):
        self._client, self._before, self._other = client, before, other

    def __getattr__(self, name):
        method = getattr(self._client, name)

        def call(*arguments, **named):
            if self._other and (name, *arguments[:2]) == self._before:
                other, self._other = self._other, None
                other()
            return method(*arguments, **named)

        return call if callable(method) else method
