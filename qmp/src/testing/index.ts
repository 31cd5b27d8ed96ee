// Test doubles of the package, public: import them from `@qemu-tmem/qmp/testing`.

export {};
