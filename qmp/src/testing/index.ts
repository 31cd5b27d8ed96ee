// Test doubles of the package, public: import them from `@qemu-tmem/qmp/testing`.

export {
  FakeConnection,
  FakeFailure,
  type FakeHandler,
  type FakeRequest,
  NO_REPLY,
} from './fake-connection.js';
export {
  eventLine,
  FakeQmpServer,
  type FakeServerOptions,
  greetingLine,
} from './fake-server.js';
