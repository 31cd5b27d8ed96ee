// Generated from query-qmp-schema of QEMU 7.2.22 by qmp-types.
// Do not edit: generate it anew. 216 commands, 52 events.

/** No members. */
export type Empty = Readonly<Record<string, never>>;
/** Members the schema does not show: the properties of a device. */
export type OpenArguments = Readonly<Record<string, unknown>>;

export interface Commands {
  'add-fd': {
    arguments: AddFdArguments;
    result: AddFdResult;
    oob: false;
  };
  add_client: {
    arguments: AddClientArguments;
    result: Empty;
    oob: false;
  };
  'announce-self': {
    arguments: AnnounceSelfArguments;
    result: Empty;
    oob: false;
  };
  balloon: {
    arguments: BalloonArguments;
    result: Empty;
    oob: false;
  };
  'block-commit': {
    arguments: BlockCommitArguments;
    result: Empty;
    oob: false;
  };
  'block-dirty-bitmap-add': {
    arguments: BlockDirtyBitmapAddArguments;
    result: Empty;
    oob: false;
  };
  'block-dirty-bitmap-clear': {
    arguments: BlockDirtyBitmapClearArguments;
    result: Empty;
    oob: false;
  };
  'block-dirty-bitmap-disable': {
    arguments: BlockDirtyBitmapClearArguments;
    result: Empty;
    oob: false;
  };
  'block-dirty-bitmap-enable': {
    arguments: BlockDirtyBitmapClearArguments;
    result: Empty;
    oob: false;
  };
  'block-dirty-bitmap-merge': {
    arguments: BlockDirtyBitmapMergeArguments;
    result: Empty;
    oob: false;
  };
  'block-dirty-bitmap-remove': {
    arguments: BlockDirtyBitmapClearArguments;
    result: Empty;
    oob: false;
  };
  'block-export-add': {
    arguments: BlockExportAddArguments;
    result: Empty;
    oob: false;
  };
  'block-export-del': {
    arguments: BlockExportDelArguments;
    result: Empty;
    oob: false;
  };
  'block-job-cancel': {
    arguments: BlockJobCancelArguments;
    result: Empty;
    oob: false;
  };
  'block-job-complete': {
    arguments: BlockJobCompleteArguments;
    result: Empty;
    oob: false;
  };
  'block-job-dismiss': {
    arguments: BlockJobDismissArguments;
    result: Empty;
    oob: false;
  };
  'block-job-finalize': {
    arguments: BlockJobFinalizeArguments;
    result: Empty;
    oob: false;
  };
  'block-job-pause': {
    arguments: BlockJobPauseArguments;
    result: Empty;
    oob: false;
  };
  'block-job-resume': {
    arguments: BlockJobResumeArguments;
    result: Empty;
    oob: false;
  };
  'block-job-set-speed': {
    arguments: BlockJobSetSpeedArguments;
    result: Empty;
    oob: false;
  };
  'block-latency-histogram-set': {
    arguments: BlockLatencyHistogramSetArguments;
    result: Empty;
    oob: false;
  };
  'block-set-write-threshold': {
    arguments: BlockSetWriteThresholdArguments;
    result: Empty;
    oob: false;
  };
  'block-stream': {
    arguments: BlockStreamArguments;
    result: Empty;
    oob: false;
  };
  block_resize: {
    arguments: BlockResizeArguments;
    result: Empty;
    oob: false;
  };
  block_set_io_throttle: {
    arguments: BlockSetIoThrottleArguments;
    result: Empty;
    oob: false;
  };
  'blockdev-add': {
    arguments: BlockdevAddArguments;
    result: Empty;
    oob: false;
  };
  'blockdev-backup': {
    arguments: BlockdevBackupArguments;
    result: Empty;
    oob: false;
  };
  'blockdev-change-medium': {
    arguments: BlockdevChangeMediumArguments;
    result: Empty;
    oob: false;
  };
  'blockdev-close-tray': {
    arguments: BlockdevCloseTrayArguments;
    result: Empty;
    oob: false;
  };
  'blockdev-create': {
    arguments: BlockdevCreateArguments;
    result: Empty;
    oob: false;
  };
  'blockdev-del': {
    arguments: BlockdevDelArguments;
    result: Empty;
    oob: false;
  };
  'blockdev-insert-medium': {
    arguments: BlockdevInsertMediumArguments;
    result: Empty;
    oob: false;
  };
  'blockdev-mirror': {
    arguments: BlockdevMirrorArguments;
    result: Empty;
    oob: false;
  };
  'blockdev-open-tray': {
    arguments: BlockdevOpenTrayArguments;
    result: Empty;
    oob: false;
  };
  'blockdev-remove-medium': {
    arguments: BlockdevRemoveMediumArguments;
    result: Empty;
    oob: false;
  };
  'blockdev-reopen': {
    arguments: BlockdevReopenArguments;
    result: Empty;
    oob: false;
  };
  'blockdev-snapshot': {
    arguments: BlockdevSnapshotArguments;
    result: Empty;
    oob: false;
  };
  'blockdev-snapshot-delete-internal-sync': {
    arguments: BlockdevSnapshotDeleteInternalSyncArguments;
    result: BlockdevSnapshotDeleteInternalSyncResult;
    oob: false;
  };
  'blockdev-snapshot-internal-sync': {
    arguments: BlockdevSnapshotInternalSyncArguments;
    result: Empty;
    oob: false;
  };
  'blockdev-snapshot-sync': {
    arguments: BlockdevSnapshotSyncArguments;
    result: Empty;
    oob: false;
  };
  'calc-dirty-rate': {
    arguments: CalcDirtyRateArguments;
    result: Empty;
    oob: false;
  };
  'cancel-vcpu-dirty-limit': {
    arguments: CancelVcpuDirtyLimitArguments;
    result: Empty;
    oob: false;
  };
  'change-backing-file': {
    arguments: ChangeBackingFileArguments;
    result: Empty;
    oob: false;
  };
  'change-vnc-password': {
    arguments: ChangeVncPasswordArguments;
    result: Empty;
    oob: false;
  };
  'chardev-add': {
    arguments: ChardevAddArguments;
    result: ChardevAddResult;
    oob: false;
  };
  'chardev-change': {
    arguments: ChardevChangeArguments;
    result: ChardevAddResult;
    oob: false;
  };
  'chardev-remove': {
    arguments: ChardevRemoveArguments;
    result: Empty;
    oob: false;
  };
  'chardev-send-break': {
    arguments: ChardevSendBreakArguments;
    result: Empty;
    oob: false;
  };
  client_migrate_info: {
    arguments: ClientMigrateInfoArguments;
    result: Empty;
    oob: false;
  };
  closefd: {
    arguments: ClosefdArguments;
    result: Empty;
    oob: false;
  };
  cont: {
    arguments: Empty;
    result: Empty;
    oob: false;
  };
  'device-list-properties': {
    arguments: DeviceListPropertiesArguments;
    result: readonly DeviceListPropertiesItem[];
    oob: false;
  };
  device_add: {
    arguments: DeviceAddArguments & OpenArguments;
    result: Empty;
    oob: false;
  };
  device_del: {
    arguments: DeviceDelArguments;
    result: Empty;
    oob: false;
  };
  'display-reload': {
    arguments: DisplayReloadArguments;
    result: Empty;
    oob: false;
  };
  'display-update': {
    arguments: DisplayUpdateArguments;
    result: Empty;
    oob: false;
  };
  /** @deprecated QEMU may remove it */
  'drive-backup': {
    arguments: DriveBackupArguments;
    result: Empty;
    oob: false;
  };
  'drive-mirror': {
    arguments: DriveMirrorArguments;
    result: Empty;
    oob: false;
  };
  'dump-guest-memory': {
    arguments: DumpGuestMemoryArguments;
    result: Empty;
    oob: false;
  };
  dumpdtb: {
    arguments: DumpdtbArguments;
    result: Empty;
    oob: false;
  };
  eject: {
    arguments: EjectArguments;
    result: Empty;
    oob: false;
  };
  expire_password: {
    arguments: ExpirePasswordArguments;
    result: Empty;
    oob: false;
  };
  getfd: {
    arguments: GetfdArguments;
    result: Empty;
    oob: false;
  };
  'human-monitor-command': {
    arguments: HumanMonitorCommandArguments;
    result: string;
    oob: false;
  };
  'inject-nmi': {
    arguments: Empty;
    result: Empty;
    oob: false;
  };
  'input-send-event': {
    arguments: InputSendEventArguments;
    result: Empty;
    oob: false;
  };
  'job-cancel': {
    arguments: JobCancelArguments;
    result: Empty;
    oob: false;
  };
  'job-complete': {
    arguments: JobCompleteArguments;
    result: Empty;
    oob: false;
  };
  'job-dismiss': {
    arguments: JobDismissArguments;
    result: Empty;
    oob: false;
  };
  'job-finalize': {
    arguments: JobFinalizeArguments;
    result: Empty;
    oob: false;
  };
  'job-pause': {
    arguments: JobPauseArguments;
    result: Empty;
    oob: false;
  };
  'job-resume': {
    arguments: JobResumeArguments;
    result: Empty;
    oob: false;
  };
  memsave: {
    arguments: MemsaveArguments;
    result: Empty;
    oob: false;
  };
  migrate: {
    arguments: MigrateArguments;
    result: Empty;
    oob: false;
  };
  'migrate-continue': {
    arguments: MigrateContinueArguments;
    result: Empty;
    oob: false;
  };
  'migrate-incoming': {
    arguments: MigrateIncomingArguments;
    result: Empty;
    oob: false;
  };
  'migrate-pause': {
    arguments: Empty;
    result: Empty;
    oob: true;
  };
  'migrate-recover': {
    arguments: MigrateRecoverArguments;
    result: Empty;
    oob: true;
  };
  'migrate-set-capabilities': {
    arguments: MigrateSetCapabilitiesArguments;
    result: Empty;
    oob: false;
  };
  'migrate-set-parameters': {
    arguments: MigrateSetParametersArguments;
    result: Empty;
    oob: false;
  };
  'migrate-start-postcopy': {
    arguments: Empty;
    result: Empty;
    oob: false;
  };
  migrate_cancel: {
    arguments: Empty;
    result: Empty;
    oob: false;
  };
  /** @deprecated QEMU may remove it */
  'nbd-server-add': {
    arguments: NbdServerAddArguments;
    result: Empty;
    oob: false;
  };
  /** @deprecated QEMU may remove it */
  'nbd-server-remove': {
    arguments: NbdServerRemoveArguments;
    result: Empty;
    oob: false;
  };
  'nbd-server-start': {
    arguments: NbdServerStartArguments;
    result: Empty;
    oob: false;
  };
  'nbd-server-stop': {
    arguments: Empty;
    result: Empty;
    oob: false;
  };
  netdev_add: {
    arguments: NetdevAddArguments;
    result: Empty;
    oob: false;
  };
  netdev_del: {
    arguments: NetdevDelArguments;
    result: Empty;
    oob: false;
  };
  'object-add': {
    arguments: ObjectAddArguments;
    result: Empty;
    oob: false;
  };
  'object-del': {
    arguments: ObjectDelArguments;
    result: Empty;
    oob: false;
  };
  pmemsave: {
    arguments: PmemsaveArguments;
    result: Empty;
    oob: false;
  };
  qmp_capabilities: {
    arguments: QmpCapabilitiesArguments;
    result: Empty;
    oob: false;
  };
  'qom-get': {
    arguments: QomGetArguments;
    result: unknown;
    oob: false;
  };
  'qom-list': {
    arguments: QomListArguments;
    result: readonly DeviceListPropertiesItem[];
    oob: false;
  };
  'qom-list-properties': {
    arguments: QomListPropertiesArguments;
    result: readonly DeviceListPropertiesItem[];
    oob: false;
  };
  'qom-list-types': {
    arguments: QomListTypesArguments;
    result: readonly QomListTypesItem[];
    oob: false;
  };
  'qom-set': {
    arguments: QomSetArguments;
    result: Empty;
    oob: false;
  };
  'query-acpi-ospm-status': {
    arguments: Empty;
    result: readonly QueryAcpiOspmStatusItem[];
    oob: false;
  };
  'query-balloon': {
    arguments: Empty;
    result: QueryBalloonResult;
    oob: false;
  };
  'query-block': {
    arguments: Empty;
    result: readonly QueryBlockItem[];
    oob: false;
  };
  'query-block-exports': {
    arguments: Empty;
    result: readonly QueryBlockExportsItem[];
    oob: false;
  };
  'query-block-jobs': {
    arguments: Empty;
    result: readonly QueryBlockJobsItem[];
    oob: false;
  };
  'query-blockstats': {
    arguments: QueryBlockstatsArguments;
    result: readonly QueryBlockstatsItem[];
    oob: false;
  };
  'query-chardev': {
    arguments: Empty;
    result: readonly QueryChardevItem[];
    oob: false;
  };
  'query-chardev-backends': {
    arguments: Empty;
    result: readonly QueryChardevBackendsItem[];
    oob: false;
  };
  'query-colo-status': {
    arguments: Empty;
    result: QueryColoStatusResult;
    oob: false;
  };
  'query-command-line-options': {
    arguments: QueryCommandLineOptionsArguments;
    result: readonly QueryCommandLineOptionsItem[];
    oob: false;
  };
  'query-commands': {
    arguments: Empty;
    result: readonly QueryCommandsItem[];
    oob: false;
  };
  'query-cpu-definitions': {
    arguments: Empty;
    result: readonly QueryCpuDefinitionsItem[];
    oob: false;
  };
  'query-cpu-model-expansion': {
    arguments: QueryCpuModelExpansionArguments;
    result: QueryCpuModelExpansionResult;
    oob: false;
  };
  'query-cpus-fast': {
    arguments: Empty;
    result: readonly QueryCpusFastItem[];
    oob: false;
  };
  'query-current-machine': {
    arguments: Empty;
    result: QueryCurrentMachineResult;
    oob: false;
  };
  'query-dirty-rate': {
    arguments: Empty;
    result: QueryDirtyRateResult;
    oob: false;
  };
  'query-display-options': {
    arguments: Empty;
    result: QueryDisplayOptionsResult;
    oob: false;
  };
  'query-dump': {
    arguments: Empty;
    result: QueryDumpResult;
    oob: false;
  };
  'query-dump-guest-memory-capability': {
    arguments: Empty;
    result: QueryDumpGuestMemoryCapabilityResult;
    oob: false;
  };
  'query-fdsets': {
    arguments: Empty;
    result: readonly QueryFdsetsItem[];
    oob: false;
  };
  'query-hotpluggable-cpus': {
    arguments: Empty;
    result: readonly QueryHotpluggableCpusItem[];
    oob: false;
  };
  'query-iothreads': {
    arguments: Empty;
    result: readonly QueryIothreadsItem[];
    oob: false;
  };
  'query-jobs': {
    arguments: Empty;
    result: readonly QueryJobsItem[];
    oob: false;
  };
  'query-kvm': {
    arguments: Empty;
    result: QueryKvmResult;
    oob: false;
  };
  'query-machines': {
    arguments: Empty;
    result: readonly QueryMachinesItem[];
    oob: false;
  };
  'query-memdev': {
    arguments: Empty;
    result: readonly QueryMemdevItem[];
    oob: false;
  };
  'query-memory-devices': {
    arguments: Empty;
    result: readonly QueryMemoryDevicesItem[];
    oob: false;
  };
  'query-memory-size-summary': {
    arguments: Empty;
    result: QueryMemorySizeSummaryResult;
    oob: false;
  };
  'query-mice': {
    arguments: Empty;
    result: readonly QueryMiceItem[];
    oob: false;
  };
  'query-migrate': {
    arguments: Empty;
    result: QueryMigrateResult;
    oob: false;
  };
  'query-migrate-capabilities': {
    arguments: Empty;
    result: readonly QueryMigrateCapabilitiesItem[];
    oob: false;
  };
  'query-migrate-parameters': {
    arguments: Empty;
    result: QueryMigrateParametersResult;
    oob: false;
  };
  'query-name': {
    arguments: Empty;
    result: QueryNameResult;
    oob: false;
  };
  'query-named-block-nodes': {
    arguments: QueryNamedBlockNodesArguments;
    result: readonly QueryNamedBlockNodesItem[];
    oob: false;
  };
  'query-pci': {
    arguments: Empty;
    result: readonly QueryPciItem[];
    oob: false;
  };
  'query-pr-managers': {
    arguments: Empty;
    result: readonly QueryPrManagersItem[];
    oob: false;
  };
  'query-qmp-schema': {
    arguments: Empty;
    result: readonly QueryQmpSchemaItem[];
    oob: false;
  };
  'query-replay': {
    arguments: Empty;
    result: QueryReplayResult;
    oob: false;
  };
  'query-rocker': {
    arguments: QueryRockerArguments;
    result: QueryRockerResult;
    oob: false;
  };
  'query-rocker-of-dpa-flows': {
    arguments: QueryRockerOfDpaFlowsArguments;
    result: readonly QueryRockerOfDpaFlowsItem[];
    oob: false;
  };
  'query-rocker-of-dpa-groups': {
    arguments: QueryRockerOfDpaGroupsArguments;
    result: readonly QueryRockerOfDpaGroupsItem[];
    oob: false;
  };
  'query-rocker-ports': {
    arguments: QueryRockerPortsArguments;
    result: readonly QueryRockerPortsItem[];
    oob: false;
  };
  'query-rx-filter': {
    arguments: QueryRxFilterArguments;
    result: readonly QueryRxFilterItem[];
    oob: false;
  };
  'query-sev': {
    arguments: Empty;
    result: QuerySevResult;
    oob: false;
  };
  'query-sev-attestation-report': {
    arguments: QuerySevAttestationReportArguments;
    result: QuerySevAttestationReportResult;
    oob: false;
  };
  'query-sev-capabilities': {
    arguments: Empty;
    result: QuerySevCapabilitiesResult;
    oob: false;
  };
  'query-sev-launch-measure': {
    arguments: Empty;
    result: QuerySevLaunchMeasureResult;
    oob: false;
  };
  'query-sgx': {
    arguments: Empty;
    result: QuerySgxResult;
    oob: false;
  };
  'query-sgx-capabilities': {
    arguments: Empty;
    result: QuerySgxResult;
    oob: false;
  };
  'query-spice': {
    arguments: Empty;
    result: QuerySpiceResult;
    oob: false;
  };
  'query-stats': {
    arguments: QueryStatsArguments;
    result: readonly QueryStatsItem[];
    oob: false;
  };
  'query-stats-schemas': {
    arguments: QueryStatsSchemasArguments;
    result: readonly QueryStatsSchemasItem[];
    oob: false;
  };
  'query-status': {
    arguments: Empty;
    result: QueryStatusResult;
    oob: false;
  };
  'query-target': {
    arguments: Empty;
    result: QueryTargetResult;
    oob: false;
  };
  'query-tpm': {
    arguments: Empty;
    result: readonly QueryTpmItem[];
    oob: false;
  };
  'query-tpm-models': {
    arguments: Empty;
    result: readonly QueryTpmModelsItem[];
    oob: false;
  };
  'query-tpm-types': {
    arguments: Empty;
    result: readonly QueryTpmTypesItem[];
    oob: false;
  };
  'query-uuid': {
    arguments: Empty;
    result: QueryUuidResult;
    oob: false;
  };
  'query-vcpu-dirty-limit': {
    arguments: Empty;
    result: readonly QueryVcpuDirtyLimitItem[];
    oob: false;
  };
  'query-version': {
    arguments: Empty;
    result: QueryVersionResult;
    oob: false;
  };
  'query-vm-generation-id': {
    arguments: Empty;
    result: QueryVmGenerationIdResult;
    oob: false;
  };
  'query-vnc': {
    arguments: Empty;
    result: QueryVncResult;
    oob: false;
  };
  'query-vnc-servers': {
    arguments: Empty;
    result: readonly QueryVncServersItem[];
    oob: false;
  };
  'query-xen-replication-status': {
    arguments: Empty;
    result: QueryXenReplicationStatusResult;
    oob: false;
  };
  'query-yank': {
    arguments: Empty;
    result: readonly QueryYankItem[];
    oob: true;
  };
  quit: {
    arguments: Empty;
    result: Empty;
    oob: false;
  };
  'remove-fd': {
    arguments: RemoveFdArguments;
    result: Empty;
    oob: false;
  };
  'replay-break': {
    arguments: ReplayBreakArguments;
    result: Empty;
    oob: false;
  };
  'replay-delete-break': {
    arguments: Empty;
    result: Empty;
    oob: false;
  };
  'replay-seek': {
    arguments: ReplaySeekArguments;
    result: Empty;
    oob: false;
  };
  'ringbuf-read': {
    arguments: RingbufReadArguments;
    result: string;
    oob: false;
  };
  'ringbuf-write': {
    arguments: RingbufWriteArguments;
    result: Empty;
    oob: false;
  };
  'rtc-reset-reinjection': {
    arguments: Empty;
    result: Empty;
    oob: false;
  };
  screendump: {
    arguments: ScreendumpArguments;
    result: Empty;
    oob: false;
  };
  'send-key': {
    arguments: SendKeyArguments;
    result: Empty;
    oob: false;
  };
  'set-action': {
    arguments: SetActionArguments;
    result: Empty;
    oob: false;
  };
  'set-numa-node': {
    arguments: SetNumaNodeArguments;
    result: Empty;
    oob: false;
  };
  'set-vcpu-dirty-limit': {
    arguments: SetVcpuDirtyLimitArguments;
    result: Empty;
    oob: false;
  };
  set_link: {
    arguments: SetLinkArguments;
    result: Empty;
    oob: false;
  };
  set_password: {
    arguments: SetPasswordArguments;
    result: Empty;
    oob: false;
  };
  'sev-inject-launch-secret': {
    arguments: SevInjectLaunchSecretArguments;
    result: Empty;
    oob: false;
  };
  'snapshot-delete': {
    arguments: SnapshotDeleteArguments;
    result: Empty;
    oob: false;
  };
  'snapshot-load': {
    arguments: SnapshotLoadArguments;
    result: Empty;
    oob: false;
  };
  'snapshot-save': {
    arguments: SnapshotSaveArguments;
    result: Empty;
    oob: false;
  };
  stop: {
    arguments: Empty;
    result: Empty;
    oob: false;
  };
  system_powerdown: {
    arguments: Empty;
    result: Empty;
    oob: false;
  };
  system_reset: {
    arguments: Empty;
    result: Empty;
    oob: false;
  };
  system_wakeup: {
    arguments: Empty;
    result: Empty;
    oob: false;
  };
  'trace-event-get-state': {
    arguments: TraceEventGetStateArguments;
    result: readonly TraceEventGetStateItem[];
    oob: false;
  };
  'trace-event-set-state': {
    arguments: TraceEventSetStateArguments;
    result: Empty;
    oob: false;
  };
  transaction: {
    arguments: TransactionArguments;
    result: Empty;
    oob: false;
  };
  'watchdog-set-action': {
    arguments: WatchdogSetActionArguments;
    result: Empty;
    oob: false;
  };
  /** @experimental QEMU may change it */
  'x-blockdev-amend': {
    arguments: XBlockdevAmendArguments;
    result: Empty;
    oob: false;
  };
  /** @experimental QEMU may change it */
  'x-blockdev-change': {
    arguments: XBlockdevChangeArguments;
    result: Empty;
    oob: false;
  };
  /** @experimental QEMU may change it */
  'x-blockdev-set-iothread': {
    arguments: XBlockdevSetIothreadArguments;
    result: Empty;
    oob: false;
  };
  /** @experimental QEMU may change it */
  'x-colo-lost-heartbeat': {
    arguments: Empty;
    result: Empty;
    oob: false;
  };
  /** @experimental QEMU may change it */
  'x-debug-block-dirty-bitmap-sha256': {
    arguments: BlockDirtyBitmapClearArguments;
    result: XDebugBlockDirtyBitmapSha256Result;
    oob: false;
  };
  /** @experimental QEMU may change it */
  'x-debug-query-block-graph': {
    arguments: Empty;
    result: XDebugQueryBlockGraphResult;
    oob: false;
  };
  /** @experimental QEMU may change it */
  'x-exit-preconfig': {
    arguments: Empty;
    result: Empty;
    oob: false;
  };
  /** @experimental QEMU may change it */
  'x-query-irq': {
    arguments: Empty;
    result: XQueryIrqResult;
    oob: false;
  };
  /** @experimental QEMU may change it */
  'x-query-jit': {
    arguments: Empty;
    result: XQueryIrqResult;
    oob: false;
  };
  /** @experimental QEMU may change it */
  'x-query-numa': {
    arguments: Empty;
    result: XQueryIrqResult;
    oob: false;
  };
  /** @experimental QEMU may change it */
  'x-query-opcount': {
    arguments: Empty;
    result: XQueryIrqResult;
    oob: false;
  };
  /** @experimental QEMU may change it */
  'x-query-profile': {
    arguments: Empty;
    result: XQueryIrqResult;
    oob: false;
  };
  /** @experimental QEMU may change it */
  'x-query-ramblock': {
    arguments: Empty;
    result: XQueryIrqResult;
    oob: false;
  };
  /** @experimental QEMU may change it */
  'x-query-rdma': {
    arguments: Empty;
    result: XQueryIrqResult;
    oob: false;
  };
  /** @experimental QEMU may change it */
  'x-query-roms': {
    arguments: Empty;
    result: XQueryIrqResult;
    oob: false;
  };
  /** @experimental QEMU may change it */
  'x-query-usb': {
    arguments: Empty;
    result: XQueryIrqResult;
    oob: false;
  };
  /** @experimental QEMU may change it */
  'x-query-virtio': {
    arguments: Empty;
    result: readonly XQueryVirtioItem[];
    oob: false;
  };
  /** @experimental QEMU may change it */
  'x-query-virtio-queue-element': {
    arguments: XQueryVirtioQueueElementArguments;
    result: XQueryVirtioQueueElementResult;
    oob: false;
  };
  /** @experimental QEMU may change it */
  'x-query-virtio-queue-status': {
    arguments: XQueryVirtioQueueStatusArguments;
    result: XQueryVirtioQueueStatusResult;
    oob: false;
  };
  /** @experimental QEMU may change it */
  'x-query-virtio-status': {
    arguments: XQueryVirtioStatusArguments;
    result: XQueryVirtioStatusResult;
    oob: false;
  };
  /** @experimental QEMU may change it */
  'x-query-virtio-vhost-queue-status': {
    arguments: XQueryVirtioVhostQueueStatusArguments;
    result: XQueryVirtioVhostQueueStatusResult;
    oob: false;
  };
  'xen-colo-do-checkpoint': {
    arguments: Empty;
    result: Empty;
    oob: false;
  };
  'xen-load-devices-state': {
    arguments: XenLoadDevicesStateArguments;
    result: Empty;
    oob: false;
  };
  'xen-save-devices-state': {
    arguments: XenSaveDevicesStateArguments;
    result: Empty;
    oob: false;
  };
  'xen-set-global-dirty-log': {
    arguments: XenSetGlobalDirtyLogArguments;
    result: Empty;
    oob: false;
  };
  'xen-set-replication': {
    arguments: XenSetReplicationArguments;
    result: Empty;
    oob: false;
  };
  yank: {
    arguments: YankArguments;
    result: Empty;
    oob: true;
  };
}

export interface Events {
  ACPI_DEVICE_OST: AcpiDeviceOstData;
  BALLOON_CHANGE: BalloonChangeData;
  BLOCK_EXPORT_DELETED: BlockExportDeletedData;
  BLOCK_IMAGE_CORRUPTED: BlockImageCorruptedData;
  BLOCK_IO_ERROR: BlockIoErrorData;
  BLOCK_JOB_CANCELLED: BlockJobCancelledData;
  BLOCK_JOB_COMPLETED: BlockJobCompletedData;
  BLOCK_JOB_ERROR: BlockJobErrorData;
  BLOCK_JOB_PENDING: BlockJobPendingData;
  BLOCK_JOB_READY: BlockJobReadyData;
  BLOCK_WRITE_THRESHOLD: BlockWriteThresholdData;
  COLO_EXIT: ColoExitData;
  DEVICE_DELETED: DeviceDeletedData;
  DEVICE_TRAY_MOVED: DeviceTrayMovedData;
  DEVICE_UNPLUG_GUEST_ERROR: DeviceUnplugGuestErrorData;
  DUMP_COMPLETED: DumpCompletedData;
  FAILOVER_NEGOTIATED: FailoverNegotiatedData;
  GUEST_CRASHLOADED: GuestCrashloadedData;
  GUEST_PANICKED: GuestPanickedData;
  JOB_STATUS_CHANGE: JobStatusChangeData;
  MEMORY_DEVICE_SIZE_CHANGE: MemoryDeviceSizeChangeData;
  MEMORY_FAILURE: MemoryFailureData;
  /** @deprecated QEMU may remove it */
  MEM_UNPLUG_ERROR: MemUnplugErrorData;
  MIGRATION: MigrationData;
  MIGRATION_PASS: MigrationPassData;
  NETDEV_STREAM_CONNECTED: NetdevStreamConnectedData;
  NETDEV_STREAM_DISCONNECTED: NetdevStreamDisconnectedData;
  NIC_RX_FILTER_CHANGED: NicRxFilterChangedData;
  POWERDOWN: Empty;
  PR_MANAGER_STATUS_CHANGED: PrManagerStatusChangedData;
  QUORUM_FAILURE: QuorumFailureData;
  QUORUM_REPORT_BAD: QuorumReportBadData;
  RDMA_GID_STATUS_CHANGED: RdmaGidStatusChangedData;
  RESET: ResetData;
  RESUME: Empty;
  RTC_CHANGE: RtcChangeData;
  SHUTDOWN: ShutdownData;
  SPICE_CONNECTED: SpiceConnectedData;
  SPICE_DISCONNECTED: SpiceDisconnectedData;
  SPICE_INITIALIZED: SpiceInitializedData;
  SPICE_MIGRATE_COMPLETED: Empty;
  STOP: Empty;
  SUSPEND: Empty;
  SUSPEND_DISK: Empty;
  UNPLUG_PRIMARY: UnplugPrimaryData;
  VFU_CLIENT_HANGUP: VfuClientHangupData;
  VNC_CONNECTED: VncConnectedData;
  VNC_DISCONNECTED: VncDisconnectedData;
  VNC_INITIALIZED: VncInitializedData;
  VSERPORT_CHANGE: VserportChangeData;
  WAKEUP: Empty;
  WATCHDOG: WatchdogData;
}

/** What a client is parametrised with. */
export interface Qemu72Schema {
  commands: Commands;
  events: Events;
}

export interface AcpiDeviceOstData {
  readonly info: QueryAcpiOspmStatusItem;
}

export interface AddClientArguments {
  readonly protocol: string;
  readonly fdname: string;
  readonly skipauth?: boolean;
  readonly tls?: boolean;
}

export interface AddFdArguments {
  readonly 'fdset-id'?: number;
  readonly opaque?: string;
}

export interface AddFdResult {
  readonly 'fdset-id': number;
  readonly fd: number;
}

export interface AnnounceSelfArguments {
  readonly initial: number;
  readonly max: number;
  readonly rounds: number;
  readonly step: number;
  readonly interfaces?: readonly string[];
  readonly id?: string;
}

export interface BalloonArguments {
  readonly value: number;
}

export interface BalloonChangeData {
  readonly actual: number;
}

export interface BlockCommitArguments {
  readonly 'job-id'?: string;
  readonly device: string;
  readonly 'base-node'?: string;
  /** @deprecated QEMU may remove it */
  readonly base?: string;
  readonly 'top-node'?: string;
  /** @deprecated QEMU may remove it */
  readonly top?: string;
  readonly 'backing-file'?: string;
  readonly speed?: number;
  readonly 'on-error'?: BlockCommitArgumentsOnError;
  readonly 'filter-node-name'?: string;
  readonly 'auto-finalize'?: boolean;
  readonly 'auto-dismiss'?: boolean;
}

export type BlockCommitArgumentsOnError = 'report' | 'ignore' | 'enospc' | 'stop' | 'auto';

export interface BlockDirtyBitmapAddArguments {
  readonly node: string;
  readonly name: string;
  readonly granularity?: number;
  readonly persistent?: boolean;
  readonly disabled?: boolean;
}

export interface BlockDirtyBitmapClearArguments {
  readonly node: string;
  readonly name: string;
}

export interface BlockDirtyBitmapMergeArguments {
  readonly node: string;
  readonly target: string;
  readonly bitmaps: readonly BlockDirtyBitmapMergeArgumentsBitmaps[];
}

export type BlockDirtyBitmapMergeArgumentsBitmaps = string | BlockDirtyBitmapClearArguments;

export interface BlockExportAddArgumentsCommon {
  readonly id: string;
  readonly 'fixed-iothread'?: boolean;
  readonly iothread?: string;
  readonly 'node-name': string;
  readonly writable?: boolean;
  readonly writethrough?: boolean;
}
export type BlockExportAddArguments = BlockExportAddArgumentsCommon & (
  | ({ readonly type: 'nbd' } & BlockExportAddArgumentsNbd)
  | ({ readonly type: 'vhost-user-blk' } & BlockExportAddArgumentsVhostUserBlk)
  | ({ readonly type: 'fuse' } & BlockExportAddArgumentsFuse)
  | ({ readonly type: 'vduse-blk' } & BlockExportAddArgumentsVduseBlk)
);

export interface BlockExportAddArgumentsFuse {
  readonly mountpoint: string;
  readonly growable?: boolean;
  readonly 'allow-other'?: BlockExportAddArgumentsFuseAllowOther;
}

export type BlockExportAddArgumentsFuseAllowOther = 'off' | 'on' | 'auto';

export interface BlockExportAddArgumentsNbd {
  readonly name?: string;
  readonly description?: string;
  readonly bitmaps?: readonly BlockDirtyBitmapMergeArgumentsBitmaps[];
  readonly 'allocation-depth'?: boolean;
}

export type BlockExportAddArgumentsType = 'nbd' | 'vhost-user-blk' | 'fuse' | 'vduse-blk';

export interface BlockExportAddArgumentsVduseBlk {
  readonly name: string;
  readonly 'num-queues'?: number;
  readonly 'queue-size'?: number;
  readonly 'logical-block-size'?: number;
  readonly serial?: string;
}

export interface BlockExportAddArgumentsVhostUserBlk {
  readonly addr: NetdevStreamConnectedDataAddr;
  readonly 'logical-block-size'?: number;
  readonly 'num-queues'?: number;
}

export interface BlockExportDelArguments {
  readonly id: string;
  readonly mode?: BlockExportDelArgumentsMode;
}

export type BlockExportDelArgumentsMode = 'safe' | 'hard';

export interface BlockExportDeletedData {
  readonly id: string;
}

export interface BlockImageCorruptedData {
  readonly device: string;
  readonly 'node-name'?: string;
  readonly msg: string;
  readonly offset?: number;
  readonly size?: number;
  readonly fatal: boolean;
}

export interface BlockIoErrorData {
  readonly device: string;
  readonly 'node-name'?: string;
  readonly operation: BlockIoErrorDataOperation;
  readonly action: BlockIoErrorDataAction;
  readonly nospace?: boolean;
  readonly reason: string;
}

export type BlockIoErrorDataAction = 'ignore' | 'report' | 'stop';

export type BlockIoErrorDataOperation = 'read' | 'write';

export interface BlockJobCancelArguments {
  readonly device: string;
  readonly force?: boolean;
}

export interface BlockJobCancelledData {
  readonly type: BlockJobCancelledDataType;
  readonly device: string;
  readonly len: number;
  readonly offset: number;
  readonly speed: number;
}

export type BlockJobCancelledDataType =
  | 'commit'
  | 'stream'
  | 'mirror'
  | 'backup'
  | 'create'
  | 'amend'
  | 'snapshot-load'
  | 'snapshot-save'
  | 'snapshot-delete';

export interface BlockJobCompleteArguments {
  readonly device: string;
}

export interface BlockJobCompletedData {
  readonly type: BlockJobCancelledDataType;
  readonly device: string;
  readonly len: number;
  readonly offset: number;
  readonly speed: number;
  readonly error?: string;
}

export interface BlockJobDismissArguments {
  readonly id: string;
}

export interface BlockJobErrorData {
  readonly device: string;
  readonly operation: BlockIoErrorDataOperation;
  readonly action: BlockIoErrorDataAction;
}

export interface BlockJobFinalizeArguments {
  readonly id: string;
}

export interface BlockJobPauseArguments {
  readonly device: string;
}

export interface BlockJobPendingData {
  readonly type: BlockJobCancelledDataType;
  readonly id: string;
}

export interface BlockJobReadyData {
  readonly type: BlockJobCancelledDataType;
  readonly device: string;
  readonly len: number;
  readonly offset: number;
  readonly speed: number;
}

export interface BlockJobResumeArguments {
  readonly device: string;
}

export interface BlockJobSetSpeedArguments {
  readonly device: string;
  readonly speed: number;
}

export interface BlockLatencyHistogramSetArguments {
  readonly id: string;
  readonly boundaries?: readonly number[];
  readonly 'boundaries-read'?: readonly number[];
  readonly 'boundaries-write'?: readonly number[];
  readonly 'boundaries-flush'?: readonly number[];
}

export interface BlockResizeArguments {
  readonly device?: string;
  readonly 'node-name'?: string;
  readonly size: number;
}

export interface BlockSetIoThrottleArguments {
  /** @deprecated QEMU may remove it */
  readonly device?: string;
  readonly id?: string;
  readonly bps: number;
  readonly bps_rd: number;
  readonly bps_wr: number;
  readonly iops: number;
  readonly iops_rd: number;
  readonly iops_wr: number;
  readonly bps_max?: number;
  readonly bps_rd_max?: number;
  readonly bps_wr_max?: number;
  readonly iops_max?: number;
  readonly iops_rd_max?: number;
  readonly iops_wr_max?: number;
  readonly bps_max_length?: number;
  readonly bps_rd_max_length?: number;
  readonly bps_wr_max_length?: number;
  readonly iops_max_length?: number;
  readonly iops_rd_max_length?: number;
  readonly iops_wr_max_length?: number;
  readonly iops_size?: number;
  readonly group?: string;
}

export interface BlockSetWriteThresholdArguments {
  readonly 'node-name': string;
  readonly 'write-threshold': number;
}

export interface BlockStreamArguments {
  readonly 'job-id'?: string;
  readonly device: string;
  readonly base?: string;
  readonly 'base-node'?: string;
  readonly 'backing-file'?: string;
  readonly bottom?: string;
  readonly speed?: number;
  readonly 'on-error'?: BlockCommitArgumentsOnError;
  readonly 'filter-node-name'?: string;
  readonly 'auto-finalize'?: boolean;
  readonly 'auto-dismiss'?: boolean;
}

export interface BlockWriteThresholdData {
  readonly 'node-name': string;
  readonly 'amount-exceeded': number;
  readonly 'write-threshold': number;
}

export interface BlockdevAddArgumentsCommon {
  readonly 'node-name'?: string;
  readonly discard?: BlockdevAddArgumentsDiscard;
  readonly cache?: BlockdevAddArgumentsCache;
  readonly 'read-only'?: boolean;
  readonly 'auto-read-only'?: boolean;
  readonly 'force-share'?: boolean;
  readonly 'detect-zeroes'?: BlockdevAddArgumentsDetectZeroes;
}
export type BlockdevAddArguments = BlockdevAddArgumentsCommon & (
  | ({ readonly driver: 'blkdebug' } & BlockdevAddArgumentsBlkdebug)
  | ({ readonly driver: 'blklogwrites' } & BlockdevAddArgumentsBlklogwrites)
  | ({ readonly driver: 'blkreplay' } & BlockdevAddArgumentsBlkreplay)
  | ({ readonly driver: 'blkverify' } & BlockdevAddArgumentsBlkverify)
  | ({ readonly driver: 'bochs' } & BlockdevAddArgumentsBochs)
  | ({ readonly driver: 'cloop' } & BlockdevAddArgumentsBochs)
  | ({ readonly driver: 'compress' } & BlockdevAddArgumentsBochs)
  | ({ readonly driver: 'copy-before-write' } & BlockdevAddArgumentsCopyBeforeWrite)
  | ({ readonly driver: 'copy-on-read' } & BlockdevAddArgumentsCopyOnRead)
  | ({ readonly driver: 'dmg' } & BlockdevAddArgumentsBochs)
  | ({ readonly driver: 'file' } & BlockdevAddArgumentsFile)
  | ({ readonly driver: 'snapshot-access' } & BlockdevAddArgumentsBochs)
  | ({ readonly driver: 'ftp' } & BlockdevAddArgumentsFtp)
  | ({ readonly driver: 'ftps' } & BlockdevAddArgumentsFtps)
  | ({ readonly driver: 'gluster' } & BlockdevAddArgumentsGluster)
  | ({ readonly driver: 'host_cdrom' } & BlockdevAddArgumentsFile)
  | ({ readonly driver: 'host_device' } & BlockdevAddArgumentsFile)
  | ({ readonly driver: 'http' } & BlockdevAddArgumentsHttp)
  | ({ readonly driver: 'https' } & BlockdevAddArgumentsHttps)
  | ({ readonly driver: 'iscsi' } & BlockdevAddArgumentsIscsi)
  | ({ readonly driver: 'luks' } & BlockdevAddArgumentsLuks)
  | ({ readonly driver: 'nbd' } & BlockdevAddArgumentsNbd)
  | ({ readonly driver: 'nfs' } & BlockdevAddArgumentsNfs)
  | ({ readonly driver: 'null-aio' } & BlockdevAddArgumentsNullAio)
  | ({ readonly driver: 'null-co' } & BlockdevAddArgumentsNullAio)
  | ({ readonly driver: 'nvme' } & BlockdevAddArgumentsNvme)
  | ({ readonly driver: 'parallels' } & BlockdevAddArgumentsBochs)
  | ({ readonly driver: 'preallocate' } & BlockdevAddArgumentsPreallocate)
  | ({ readonly driver: 'qcow' } & BlockdevAddArgumentsQcow)
  | ({ readonly driver: 'qcow2' } & BlockdevAddArgumentsQcow2)
  | ({ readonly driver: 'qed' } & BlockdevAddArgumentsQed)
  | ({ readonly driver: 'quorum' } & BlockdevAddArgumentsQuorum)
  | ({ readonly driver: 'raw' } & BlockdevAddArgumentsRaw)
  | ({ readonly driver: 'rbd' } & BlockdevAddArgumentsRbd)
  | ({ readonly driver: 'replication' } & BlockdevAddArgumentsReplication)
  | ({ readonly driver: 'ssh' } & BlockdevAddArgumentsSsh)
  | ({ readonly driver: 'throttle' } & BlockdevAddArgumentsThrottle)
  | ({ readonly driver: 'vdi' } & BlockdevAddArgumentsBochs)
  | ({ readonly driver: 'vhdx' } & BlockdevAddArgumentsBochs)
  | ({ readonly driver: 'vmdk' } & BlockdevAddArgumentsQed)
  | ({ readonly driver: 'vpc' } & BlockdevAddArgumentsBochs)
  | ({ readonly driver: 'vvfat' } & BlockdevAddArgumentsVvfat)
);

export interface BlockdevAddArgumentsBlkdebug {
  readonly image: BlockdevAddArgumentsBlkdebugImage;
  readonly config?: string;
  readonly align?: number;
  readonly 'max-transfer'?: number;
  readonly 'opt-write-zero'?: number;
  readonly 'max-write-zero'?: number;
  readonly 'opt-discard'?: number;
  readonly 'max-discard'?: number;
  readonly 'inject-error'?: readonly BlockdevAddArgumentsBlkdebugInjectError[];
  readonly 'set-state'?: readonly BlockdevAddArgumentsBlkdebugSetState[];
  readonly 'take-child-perms'?: readonly BlockdevAddArgumentsBlkdebugTakeChildPerms[];
  readonly 'unshare-child-perms'?: readonly BlockdevAddArgumentsBlkdebugTakeChildPerms[];
}

export type BlockdevAddArgumentsBlkdebugImage = BlockdevAddArguments | string;

export interface BlockdevAddArgumentsBlkdebugInjectError {
  readonly event: BlockdevAddArgumentsBlkdebugInjectErrorEvent;
  readonly state?: number;
  readonly iotype?: BlockdevAddArgumentsBlkdebugInjectErrorIotype;
  readonly errno?: number;
  readonly sector?: number;
  readonly once?: boolean;
  readonly immediately?: boolean;
}

export type BlockdevAddArgumentsBlkdebugInjectErrorEvent =
  | 'l1_update'
  | 'l1_grow_alloc_table'
  | 'l1_grow_write_table'
  | 'l1_grow_activate_table'
  | 'l2_load'
  | 'l2_update'
  | 'l2_update_compressed'
  | 'l2_alloc_cow_read'
  | 'l2_alloc_write'
  | 'read_aio'
  | 'read_backing_aio'
  | 'read_compressed'
  | 'write_aio'
  | 'write_compressed'
  | 'vmstate_load'
  | 'vmstate_save'
  | 'cow_read'
  | 'cow_write'
  | 'reftable_load'
  | 'reftable_grow'
  | 'reftable_update'
  | 'refblock_load'
  | 'refblock_update'
  | 'refblock_update_part'
  | 'refblock_alloc'
  | 'refblock_alloc_hookup'
  | 'refblock_alloc_write'
  | 'refblock_alloc_write_blocks'
  | 'refblock_alloc_write_table'
  | 'refblock_alloc_switch_table'
  | 'cluster_alloc'
  | 'cluster_alloc_bytes'
  | 'cluster_free'
  | 'flush_to_os'
  | 'flush_to_disk'
  | 'pwritev_rmw_head'
  | 'pwritev_rmw_after_head'
  | 'pwritev_rmw_tail'
  | 'pwritev_rmw_after_tail'
  | 'pwritev'
  | 'pwritev_zero'
  | 'pwritev_done'
  | 'empty_image_prepare'
  | 'l1_shrink_write_table'
  | 'l1_shrink_free_l2_clusters'
  | 'cor_write'
  | 'cluster_alloc_space'
  | 'none';

export type BlockdevAddArgumentsBlkdebugInjectErrorIotype = 'read' | 'write' | 'write-zeroes' | 'discard' | 'flush' | 'block-status';

export interface BlockdevAddArgumentsBlkdebugSetState {
  readonly event: BlockdevAddArgumentsBlkdebugInjectErrorEvent;
  readonly state?: number;
  readonly new_state: number;
}

export type BlockdevAddArgumentsBlkdebugTakeChildPerms = 'consistent-read' | 'write' | 'write-unchanged' | 'resize';

export interface BlockdevAddArgumentsBlklogwrites {
  readonly file: BlockdevAddArgumentsBlkdebugImage;
  readonly log: BlockdevAddArgumentsBlkdebugImage;
  readonly 'log-sector-size'?: number;
  readonly 'log-append'?: boolean;
  readonly 'log-super-update-interval'?: number;
}

export interface BlockdevAddArgumentsBlkreplay {
  readonly image: BlockdevAddArgumentsBlkdebugImage;
}

export interface BlockdevAddArgumentsBlkverify {
  readonly test: BlockdevAddArgumentsBlkdebugImage;
  readonly raw: BlockdevAddArgumentsBlkdebugImage;
}

export interface BlockdevAddArgumentsBochs {
  readonly file: BlockdevAddArgumentsBlkdebugImage;
}

export interface BlockdevAddArgumentsCache {
  readonly direct?: boolean;
  readonly 'no-flush'?: boolean;
}

export interface BlockdevAddArgumentsCopyBeforeWrite {
  readonly file: BlockdevAddArgumentsBlkdebugImage;
  readonly target: BlockdevAddArgumentsBlkdebugImage;
  readonly bitmap?: BlockDirtyBitmapClearArguments;
  readonly 'on-cbw-error'?: BlockdevAddArgumentsCopyBeforeWriteOnCbwError;
  readonly 'cbw-timeout'?: number;
}

export type BlockdevAddArgumentsCopyBeforeWriteOnCbwError = 'break-guest-write' | 'break-snapshot';

export interface BlockdevAddArgumentsCopyOnRead {
  readonly file: BlockdevAddArgumentsBlkdebugImage;
  readonly bottom?: string;
}

export type BlockdevAddArgumentsDetectZeroes = 'off' | 'on' | 'unmap';

export type BlockdevAddArgumentsDiscard = 'ignore' | 'unmap';

export type BlockdevAddArgumentsDriver =
  | 'blkdebug'
  | 'blklogwrites'
  | 'blkreplay'
  | 'blkverify'
  | 'bochs'
  | 'cloop'
  | 'compress'
  | 'copy-before-write'
  | 'copy-on-read'
  | 'dmg'
  | 'file'
  | 'snapshot-access'
  | 'ftp'
  | 'ftps'
  | 'gluster'
  | 'host_cdrom'
  | 'host_device'
  | 'http'
  | 'https'
  | 'iscsi'
  | 'luks'
  | 'nbd'
  | 'nfs'
  | 'null-aio'
  | 'null-co'
  | 'nvme'
  | 'parallels'
  | 'preallocate'
  | 'qcow'
  | 'qcow2'
  | 'qed'
  | 'quorum'
  | 'raw'
  | 'rbd'
  | 'replication'
  | 'ssh'
  | 'throttle'
  | 'vdi'
  | 'vhdx'
  | 'vmdk'
  | 'vpc'
  | 'vvfat';

export interface BlockdevAddArgumentsFile {
  readonly filename: string;
  readonly 'pr-manager'?: string;
  readonly locking?: BlockdevAddArgumentsFileLocking;
  readonly aio?: BlockdevAddArgumentsFileAio;
  readonly 'aio-max-batch'?: number;
  readonly 'drop-cache'?: boolean;
  /** @experimental QEMU may change it */
  readonly 'x-check-cache-dropped'?: boolean;
}

export type BlockdevAddArgumentsFileAio = 'threads' | 'native' | 'io_uring';

export type BlockdevAddArgumentsFileLocking = 'auto' | 'on' | 'off';

export interface BlockdevAddArgumentsFtp {
  readonly url: string;
  readonly readahead?: number;
  readonly timeout?: number;
  readonly username?: string;
  readonly 'password-secret'?: string;
  readonly 'proxy-username'?: string;
  readonly 'proxy-password-secret'?: string;
}

export interface BlockdevAddArgumentsFtps {
  readonly url: string;
  readonly readahead?: number;
  readonly timeout?: number;
  readonly username?: string;
  readonly 'password-secret'?: string;
  readonly 'proxy-username'?: string;
  readonly 'proxy-password-secret'?: string;
  readonly sslverify?: boolean;
}

export interface BlockdevAddArgumentsGluster {
  readonly volume: string;
  readonly path: string;
  readonly server: readonly NetdevStreamConnectedDataAddr[];
  readonly debug?: number;
  readonly logfile?: string;
}

export interface BlockdevAddArgumentsHttp {
  readonly url: string;
  readonly readahead?: number;
  readonly timeout?: number;
  readonly username?: string;
  readonly 'password-secret'?: string;
  readonly 'proxy-username'?: string;
  readonly 'proxy-password-secret'?: string;
  readonly cookie?: string;
  readonly 'cookie-secret'?: string;
}

export interface BlockdevAddArgumentsHttps {
  readonly url: string;
  readonly readahead?: number;
  readonly timeout?: number;
  readonly username?: string;
  readonly 'password-secret'?: string;
  readonly 'proxy-username'?: string;
  readonly 'proxy-password-secret'?: string;
  readonly cookie?: string;
  readonly sslverify?: boolean;
  readonly 'cookie-secret'?: string;
}

export interface BlockdevAddArgumentsIscsi {
  readonly transport: BlockdevAddArgumentsIscsiTransport;
  readonly portal: string;
  readonly target: string;
  readonly lun?: number;
  readonly user?: string;
  readonly 'password-secret'?: string;
  readonly 'initiator-name'?: string;
  readonly 'header-digest'?: BlockdevAddArgumentsIscsiHeaderDigest;
  readonly timeout?: number;
}

export type BlockdevAddArgumentsIscsiHeaderDigest = 'crc32c' | 'none' | 'crc32c-none' | 'none-crc32c';

export type BlockdevAddArgumentsIscsiTransport = 'tcp' | 'iser';

export interface BlockdevAddArgumentsLuks {
  readonly file: BlockdevAddArgumentsBlkdebugImage;
  readonly 'key-secret'?: string;
}

export interface BlockdevAddArgumentsNbd {
  readonly server: NetdevStreamConnectedDataAddr;
  readonly export?: string;
  readonly 'tls-creds'?: string;
  readonly 'tls-hostname'?: string;
  /** @experimental QEMU may change it */
  readonly 'x-dirty-bitmap'?: string;
  readonly 'reconnect-delay'?: number;
  readonly 'open-timeout'?: number;
}

export interface BlockdevAddArgumentsNfs {
  readonly server: BlockdevAddArgumentsNfsServer;
  readonly path: string;
  readonly user?: number;
  readonly group?: number;
  readonly 'tcp-syn-count'?: number;
  readonly 'readahead-size'?: number;
  readonly 'page-cache-size'?: number;
  readonly debug?: number;
}

export interface BlockdevAddArgumentsNfsServer {
  readonly type: BlockdevAddArgumentsNfsServerType;
  readonly host: string;
}

export type BlockdevAddArgumentsNfsServerType = 'inet';

export interface BlockdevAddArgumentsNullAio {
  readonly size?: number;
  readonly 'latency-ns'?: number;
  readonly 'read-zeroes'?: boolean;
}

export interface BlockdevAddArgumentsNvme {
  readonly device: string;
  readonly namespace: number;
}

export interface BlockdevAddArgumentsPreallocate {
  readonly file: BlockdevAddArgumentsBlkdebugImage;
  readonly 'prealloc-align'?: number;
  readonly 'prealloc-size'?: number;
}

export interface BlockdevAddArgumentsQcow {
  readonly file: BlockdevAddArgumentsBlkdebugImage;
  readonly backing?: BlockdevAddArgumentsQcow2Backing;
  readonly encrypt?: BlockdevAddArgumentsQcowEncrypt;
}

export interface BlockdevAddArgumentsQcow2 {
  readonly file: BlockdevAddArgumentsBlkdebugImage;
  readonly backing?: BlockdevAddArgumentsQcow2Backing;
  readonly 'lazy-refcounts'?: boolean;
  readonly 'pass-discard-request'?: boolean;
  readonly 'pass-discard-snapshot'?: boolean;
  readonly 'pass-discard-other'?: boolean;
  readonly 'overlap-check'?: BlockdevAddArgumentsQcow2OverlapCheck;
  readonly 'cache-size'?: number;
  readonly 'l2-cache-size'?: number;
  readonly 'l2-cache-entry-size'?: number;
  readonly 'refcount-cache-size'?: number;
  readonly 'cache-clean-interval'?: number;
  readonly encrypt?: BlockdevAddArgumentsQcow2Encrypt;
  readonly 'data-file'?: BlockdevAddArgumentsBlkdebugImage;
}

export type BlockdevAddArgumentsQcow2Backing = BlockdevAddArguments | string | null;

export type BlockdevAddArgumentsQcow2Encrypt =
  | ({ readonly format: 'aes' } & BlockdevAddArgumentsQcow2EncryptAes)
  | ({ readonly format: 'luks' } & BlockdevAddArgumentsQcow2EncryptLuks);

export interface BlockdevAddArgumentsQcow2EncryptAes {
  readonly 'key-secret'?: string;
}

export type BlockdevAddArgumentsQcow2EncryptFormat = 'aes' | 'luks';

export interface BlockdevAddArgumentsQcow2EncryptLuks {
  readonly 'key-secret'?: string;
}

export type BlockdevAddArgumentsQcow2OverlapCheck =
  | BlockdevAddArgumentsQcow2OverlapCheckChoice1
  | BlockdevAddArgumentsQcow2OverlapCheckChoice2;

export interface BlockdevAddArgumentsQcow2OverlapCheckChoice1 {
  readonly template?: BlockdevAddArgumentsQcow2OverlapCheckChoice2;
  readonly 'main-header'?: boolean;
  readonly 'active-l1'?: boolean;
  readonly 'active-l2'?: boolean;
  readonly 'refcount-table'?: boolean;
  readonly 'refcount-block'?: boolean;
  readonly 'snapshot-table'?: boolean;
  readonly 'inactive-l1'?: boolean;
  readonly 'inactive-l2'?: boolean;
  readonly 'bitmap-directory'?: boolean;
}

export type BlockdevAddArgumentsQcow2OverlapCheckChoice2 = 'none' | 'constant' | 'cached' | 'all';

export type BlockdevAddArgumentsQcowEncrypt =
  | ({ readonly format: 'aes' } & BlockdevAddArgumentsQcow2EncryptAes);

export type BlockdevAddArgumentsQcowEncryptFormat = 'aes';

export interface BlockdevAddArgumentsQed {
  readonly file: BlockdevAddArgumentsBlkdebugImage;
  readonly backing?: BlockdevAddArgumentsQcow2Backing;
}

export interface BlockdevAddArgumentsQuorum {
  readonly blkverify?: boolean;
  readonly children: readonly BlockdevAddArgumentsBlkdebugImage[];
  readonly 'vote-threshold': number;
  readonly 'rewrite-corrupted'?: boolean;
  readonly 'read-pattern'?: BlockdevAddArgumentsQuorumReadPattern;
}

export type BlockdevAddArgumentsQuorumReadPattern = 'quorum' | 'fifo';

export interface BlockdevAddArgumentsRaw {
  readonly file: BlockdevAddArgumentsBlkdebugImage;
  readonly offset?: number;
  readonly size?: number;
}

export interface BlockdevAddArgumentsRbd {
  readonly pool: string;
  readonly namespace?: string;
  readonly image: string;
  readonly conf?: string;
  readonly snapshot?: string;
  readonly encrypt?: BlockdevAddArgumentsRbdEncrypt;
  readonly user?: string;
  readonly 'auth-client-required'?: readonly BlockdevAddArgumentsRbdAuthClientRequired[];
  readonly 'key-secret'?: string;
  readonly server?: readonly BlockdevAddArgumentsRbdServer[];
}

export type BlockdevAddArgumentsRbdAuthClientRequired = 'cephx' | 'none';

export type BlockdevAddArgumentsRbdEncrypt =
  | ({ readonly format: 'luks' } & BlockdevAddArgumentsRbdEncryptLuks)
  | ({ readonly format: 'luks2' } & BlockdevAddArgumentsRbdEncryptLuks2);

export type BlockdevAddArgumentsRbdEncryptFormat = 'luks' | 'luks2';

export interface BlockdevAddArgumentsRbdEncryptLuks {
  readonly 'key-secret': string;
}

export interface BlockdevAddArgumentsRbdEncryptLuks2 {
  readonly 'key-secret': string;
}

export interface BlockdevAddArgumentsRbdServer {
  readonly host: string;
  readonly port: string;
}

export interface BlockdevAddArgumentsReplication {
  readonly file: BlockdevAddArgumentsBlkdebugImage;
  readonly mode: BlockdevAddArgumentsReplicationMode;
  readonly 'top-id'?: string;
}

export type BlockdevAddArgumentsReplicationMode = 'primary' | 'secondary';

export interface BlockdevAddArgumentsSsh {
  readonly server: BlockdevAddArgumentsSshServer;
  readonly path: string;
  readonly user?: string;
  readonly 'host-key-check'?: BlockdevAddArgumentsSshHostKeyCheck;
}

export type BlockdevAddArgumentsSshHostKeyCheck =
  | ({ readonly mode: 'hash' } & BlockdevAddArgumentsSshHostKeyCheckHash)
  | { readonly mode: 'none' | 'known_hosts' };

export interface BlockdevAddArgumentsSshHostKeyCheckHash {
  readonly type: BlockdevAddArgumentsSshHostKeyCheckHashType;
  readonly hash: string;
}

export type BlockdevAddArgumentsSshHostKeyCheckHashType = 'md5' | 'sha1' | 'sha256';

export type BlockdevAddArgumentsSshHostKeyCheckMode = 'none' | 'hash' | 'known_hosts';

export interface BlockdevAddArgumentsSshServer {
  readonly host: string;
  readonly port: string;
  readonly numeric?: boolean;
  readonly to?: number;
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly 'keep-alive'?: boolean;
  readonly mptcp?: boolean;
}

export interface BlockdevAddArgumentsThrottle {
  readonly 'throttle-group': string;
  readonly file: BlockdevAddArgumentsBlkdebugImage;
}

export interface BlockdevAddArgumentsVvfat {
  readonly dir: string;
  readonly 'fat-type'?: number;
  readonly floppy?: boolean;
  readonly label?: string;
  readonly rw?: boolean;
}

export interface BlockdevBackupArguments {
  readonly 'job-id'?: string;
  readonly device: string;
  readonly sync: BlockdevBackupArgumentsSync;
  readonly speed?: number;
  readonly bitmap?: string;
  readonly 'bitmap-mode'?: BlockdevBackupArgumentsBitmapMode;
  readonly compress?: boolean;
  readonly 'on-source-error'?: BlockCommitArgumentsOnError;
  readonly 'on-target-error'?: BlockCommitArgumentsOnError;
  readonly 'auto-finalize'?: boolean;
  readonly 'auto-dismiss'?: boolean;
  readonly 'filter-node-name'?: string;
  /** @experimental QEMU may change it */
  readonly 'x-perf'?: BlockdevBackupArgumentsXPerf;
  readonly target: string;
}

export type BlockdevBackupArgumentsBitmapMode = 'on-success' | 'never' | 'always';

export type BlockdevBackupArgumentsSync = 'top' | 'full' | 'none' | 'incremental' | 'bitmap';

export interface BlockdevBackupArgumentsXPerf {
  readonly 'use-copy-range'?: boolean;
  readonly 'max-workers'?: number;
  readonly 'max-chunk'?: number;
}

export interface BlockdevChangeMediumArguments {
  /** @deprecated QEMU may remove it */
  readonly device?: string;
  readonly id?: string;
  readonly filename: string;
  readonly format?: string;
  readonly force?: boolean;
  readonly 'read-only-mode'?: BlockdevChangeMediumArgumentsReadOnlyMode;
}

export type BlockdevChangeMediumArgumentsReadOnlyMode = 'retain' | 'read-only' | 'read-write';

export interface BlockdevCloseTrayArguments {
  /** @deprecated QEMU may remove it */
  readonly device?: string;
  readonly id?: string;
}

export interface BlockdevCreateArguments {
  readonly 'job-id': string;
  readonly options: BlockdevCreateArgumentsOptions;
}

export type BlockdevCreateArgumentsOptions =
  | ({ readonly driver: 'file' } & BlockdevCreateArgumentsOptionsFile)
  | ({ readonly driver: 'gluster' } & BlockdevCreateArgumentsOptionsGluster)
  | ({ readonly driver: 'luks' } & BlockdevCreateArgumentsOptionsLuks)
  | ({ readonly driver: 'nfs' } & BlockdevCreateArgumentsOptionsNfs)
  | ({ readonly driver: 'parallels' } & BlockdevCreateArgumentsOptionsParallels)
  | ({ readonly driver: 'qcow' } & BlockdevCreateArgumentsOptionsQcow)
  | ({ readonly driver: 'qcow2' } & BlockdevCreateArgumentsOptionsQcow2)
  | ({ readonly driver: 'qed' } & BlockdevCreateArgumentsOptionsQed)
  | ({ readonly driver: 'rbd' } & BlockdevCreateArgumentsOptionsRbd)
  | ({ readonly driver: 'ssh' } & BlockdevCreateArgumentsOptionsSsh)
  | ({ readonly driver: 'vdi' } & BlockdevCreateArgumentsOptionsVdi)
  | ({ readonly driver: 'vhdx' } & BlockdevCreateArgumentsOptionsVhdx)
  | ({ readonly driver: 'vmdk' } & BlockdevCreateArgumentsOptionsVmdk)
  | ({ readonly driver: 'vpc' } & BlockdevCreateArgumentsOptionsVpc)
  | { readonly driver: 'blkdebug' | 'blklogwrites' | 'blkreplay' | 'blkverify' | 'bochs' | 'cloop' | 'compress' | 'copy-before-write' | 'copy-on-read' | 'dmg' | 'snapshot-access' | 'ftp' | 'ftps' | 'host_cdrom' | 'host_device' | 'http' | 'https' | 'iscsi' | 'nbd' | 'null-aio' | 'null-co' | 'nvme' | 'preallocate' | 'quorum' | 'raw' | 'replication' | 'throttle' | 'vvfat' };

export interface BlockdevCreateArgumentsOptionsFile {
  readonly filename: string;
  readonly size: number;
  readonly preallocation?: BlockdevCreateArgumentsOptionsFilePreallocation;
  readonly nocow?: boolean;
  readonly 'extent-size-hint'?: number;
}

export type BlockdevCreateArgumentsOptionsFilePreallocation = 'off' | 'metadata' | 'falloc' | 'full';

export interface BlockdevCreateArgumentsOptionsGluster {
  readonly location: BlockdevAddArgumentsGluster;
  readonly size: number;
  readonly preallocation?: BlockdevCreateArgumentsOptionsFilePreallocation;
}

export interface BlockdevCreateArgumentsOptionsLuks {
  readonly 'key-secret'?: string;
  readonly 'cipher-alg'?: BlockdevCreateArgumentsOptionsLuksCipherAlg;
  readonly 'cipher-mode'?: BlockdevCreateArgumentsOptionsLuksCipherMode;
  readonly 'ivgen-alg'?: BlockdevCreateArgumentsOptionsLuksIvgenAlg;
  readonly 'ivgen-hash-alg'?: BlockdevCreateArgumentsOptionsLuksIvgenHashAlg;
  readonly 'hash-alg'?: BlockdevCreateArgumentsOptionsLuksIvgenHashAlg;
  readonly 'iter-time'?: number;
  readonly file: BlockdevAddArgumentsBlkdebugImage;
  readonly size: number;
  readonly preallocation?: BlockdevCreateArgumentsOptionsFilePreallocation;
}

export type BlockdevCreateArgumentsOptionsLuksCipherAlg =
  | 'aes-128'
  | 'aes-192'
  | 'aes-256'
  | 'des'
  | '3des'
  | 'cast5-128'
  | 'serpent-128'
  | 'serpent-192'
  | 'serpent-256'
  | 'twofish-128'
  | 'twofish-192'
  | 'twofish-256';

export type BlockdevCreateArgumentsOptionsLuksCipherMode = 'ecb' | 'cbc' | 'xts' | 'ctr';

export type BlockdevCreateArgumentsOptionsLuksIvgenAlg = 'plain' | 'plain64' | 'essiv';

export type BlockdevCreateArgumentsOptionsLuksIvgenHashAlg = 'md5' | 'sha1' | 'sha224' | 'sha256' | 'sha384' | 'sha512' | 'ripemd160';

export interface BlockdevCreateArgumentsOptionsNfs {
  readonly location: BlockdevAddArgumentsNfs;
  readonly size: number;
}

export interface BlockdevCreateArgumentsOptionsParallels {
  readonly file: BlockdevAddArgumentsBlkdebugImage;
  readonly size: number;
  readonly 'cluster-size'?: number;
}

export interface BlockdevCreateArgumentsOptionsQcow {
  readonly file: BlockdevAddArgumentsBlkdebugImage;
  readonly size: number;
  readonly 'backing-file'?: string;
  readonly encrypt?: BlockdevCreateArgumentsOptionsQcowEncrypt;
}

export interface BlockdevCreateArgumentsOptionsQcow2 {
  readonly file: BlockdevAddArgumentsBlkdebugImage;
  readonly 'data-file'?: BlockdevAddArgumentsBlkdebugImage;
  readonly 'data-file-raw'?: boolean;
  readonly 'extended-l2'?: boolean;
  readonly size: number;
  readonly version?: BlockdevCreateArgumentsOptionsQcow2Version;
  readonly 'backing-file'?: string;
  readonly 'backing-fmt'?: BlockdevAddArgumentsDriver;
  readonly encrypt?: BlockdevCreateArgumentsOptionsQcowEncrypt;
  readonly 'cluster-size'?: number;
  readonly preallocation?: BlockdevCreateArgumentsOptionsFilePreallocation;
  readonly 'lazy-refcounts'?: boolean;
  readonly 'refcount-bits'?: number;
  readonly 'compression-type'?: BlockdevCreateArgumentsOptionsQcow2CompressionType;
}

export type BlockdevCreateArgumentsOptionsQcow2CompressionType = 'zlib' | 'zstd';

export type BlockdevCreateArgumentsOptionsQcow2Version = 'v2' | 'v3';

export type BlockdevCreateArgumentsOptionsQcowEncrypt =
  | ({ readonly format: 'qcow' } & BlockdevAddArgumentsQcow2EncryptAes)
  | ({ readonly format: 'luks' } & BlockdevCreateArgumentsOptionsQcowEncryptLuks);

export type BlockdevCreateArgumentsOptionsQcowEncryptFormat = 'qcow' | 'luks';

export interface BlockdevCreateArgumentsOptionsQcowEncryptLuks {
  readonly 'key-secret'?: string;
  readonly 'cipher-alg'?: BlockdevCreateArgumentsOptionsLuksCipherAlg;
  readonly 'cipher-mode'?: BlockdevCreateArgumentsOptionsLuksCipherMode;
  readonly 'ivgen-alg'?: BlockdevCreateArgumentsOptionsLuksIvgenAlg;
  readonly 'ivgen-hash-alg'?: BlockdevCreateArgumentsOptionsLuksIvgenHashAlg;
  readonly 'hash-alg'?: BlockdevCreateArgumentsOptionsLuksIvgenHashAlg;
  readonly 'iter-time'?: number;
}

export interface BlockdevCreateArgumentsOptionsQed {
  readonly file: BlockdevAddArgumentsBlkdebugImage;
  readonly size: number;
  readonly 'backing-file'?: string;
  readonly 'backing-fmt'?: BlockdevAddArgumentsDriver;
  readonly 'cluster-size'?: number;
  readonly 'table-size'?: number;
}

export interface BlockdevCreateArgumentsOptionsRbd {
  readonly location: BlockdevAddArgumentsRbd;
  readonly size: number;
  readonly 'cluster-size'?: number;
  readonly encrypt?: BlockdevCreateArgumentsOptionsRbdEncrypt;
}

export type BlockdevCreateArgumentsOptionsRbdEncrypt =
  | ({ readonly format: 'luks' } & BlockdevCreateArgumentsOptionsRbdEncryptLuks)
  | ({ readonly format: 'luks2' } & BlockdevCreateArgumentsOptionsRbdEncryptLuks2);

export interface BlockdevCreateArgumentsOptionsRbdEncryptLuks {
  readonly 'key-secret': string;
  readonly 'cipher-alg'?: BlockdevCreateArgumentsOptionsLuksCipherAlg;
}

export interface BlockdevCreateArgumentsOptionsRbdEncryptLuks2 {
  readonly 'key-secret': string;
  readonly 'cipher-alg'?: BlockdevCreateArgumentsOptionsLuksCipherAlg;
}

export interface BlockdevCreateArgumentsOptionsSsh {
  readonly location: BlockdevAddArgumentsSsh;
  readonly size: number;
}

export interface BlockdevCreateArgumentsOptionsVdi {
  readonly file: BlockdevAddArgumentsBlkdebugImage;
  readonly size: number;
  readonly preallocation?: BlockdevCreateArgumentsOptionsFilePreallocation;
}

export interface BlockdevCreateArgumentsOptionsVhdx {
  readonly file: BlockdevAddArgumentsBlkdebugImage;
  readonly size: number;
  readonly 'log-size'?: number;
  readonly 'block-size'?: number;
  readonly subformat?: BlockdevCreateArgumentsOptionsVhdxSubformat;
  readonly 'block-state-zero'?: boolean;
}

export type BlockdevCreateArgumentsOptionsVhdxSubformat = 'dynamic' | 'fixed';

export interface BlockdevCreateArgumentsOptionsVmdk {
  readonly file: BlockdevAddArgumentsBlkdebugImage;
  readonly size: number;
  readonly extents?: readonly BlockdevAddArgumentsBlkdebugImage[];
  readonly subformat?: BlockdevCreateArgumentsOptionsVmdkSubformat;
  readonly 'backing-file'?: string;
  readonly 'adapter-type'?: BlockdevCreateArgumentsOptionsVmdkAdapterType;
  readonly hwversion?: string;
  readonly toolsversion?: string;
  readonly 'zeroed-grain'?: boolean;
}

export type BlockdevCreateArgumentsOptionsVmdkAdapterType = 'ide' | 'buslogic' | 'lsilogic' | 'legacyESX';

export type BlockdevCreateArgumentsOptionsVmdkSubformat =
  | 'monolithicSparse'
  | 'monolithicFlat'
  | 'twoGbMaxExtentSparse'
  | 'twoGbMaxExtentFlat'
  | 'streamOptimized';

export interface BlockdevCreateArgumentsOptionsVpc {
  readonly file: BlockdevAddArgumentsBlkdebugImage;
  readonly size: number;
  readonly subformat?: BlockdevCreateArgumentsOptionsVpcSubformat;
  readonly 'force-size'?: boolean;
}

export type BlockdevCreateArgumentsOptionsVpcSubformat = 'dynamic' | 'fixed';

export interface BlockdevDelArguments {
  readonly 'node-name': string;
}

export interface BlockdevInsertMediumArguments {
  readonly id: string;
  readonly 'node-name': string;
}

export interface BlockdevMirrorArguments {
  readonly 'job-id'?: string;
  readonly device: string;
  readonly target: string;
  readonly replaces?: string;
  readonly sync: BlockdevBackupArgumentsSync;
  readonly speed?: number;
  readonly granularity?: number;
  readonly 'buf-size'?: number;
  readonly 'on-source-error'?: BlockCommitArgumentsOnError;
  readonly 'on-target-error'?: BlockCommitArgumentsOnError;
  readonly 'filter-node-name'?: string;
  readonly 'copy-mode'?: BlockdevMirrorArgumentsCopyMode;
  readonly 'auto-finalize'?: boolean;
  readonly 'auto-dismiss'?: boolean;
}

export type BlockdevMirrorArgumentsCopyMode = 'background' | 'write-blocking';

export interface BlockdevOpenTrayArguments {
  /** @deprecated QEMU may remove it */
  readonly device?: string;
  readonly id?: string;
  readonly force?: boolean;
}

export interface BlockdevRemoveMediumArguments {
  readonly id: string;
}

export interface BlockdevReopenArguments {
  readonly options: readonly BlockdevAddArguments[];
}

export interface BlockdevSnapshotArguments {
  readonly node: string;
  readonly overlay: string;
}

export interface BlockdevSnapshotDeleteInternalSyncArguments {
  readonly device: string;
  readonly id?: string;
  readonly name?: string;
}

export interface BlockdevSnapshotDeleteInternalSyncResult {
  readonly id: string;
  readonly name: string;
  readonly 'vm-state-size': number;
  readonly 'date-sec': number;
  readonly 'date-nsec': number;
  readonly 'vm-clock-sec': number;
  readonly 'vm-clock-nsec': number;
  readonly icount?: number;
}

export interface BlockdevSnapshotInternalSyncArguments {
  readonly device: string;
  readonly name: string;
}

export interface BlockdevSnapshotSyncArguments {
  readonly device?: string;
  readonly 'node-name'?: string;
  readonly 'snapshot-file': string;
  readonly 'snapshot-node-name'?: string;
  readonly format?: string;
  readonly mode?: BlockdevSnapshotSyncArgumentsMode;
}

export type BlockdevSnapshotSyncArgumentsMode = 'existing' | 'absolute-paths';

export interface CalcDirtyRateArguments {
  readonly 'calc-time': number;
  readonly 'sample-pages'?: number;
  readonly mode?: CalcDirtyRateArgumentsMode;
}

export type CalcDirtyRateArgumentsMode = 'page-sampling' | 'dirty-ring' | 'dirty-bitmap';

export interface CancelVcpuDirtyLimitArguments {
  readonly 'cpu-index'?: number;
}

export interface ChangeBackingFileArguments {
  readonly device: string;
  readonly 'image-node-name': string;
  readonly 'backing-file': string;
}

export interface ChangeVncPasswordArguments {
  readonly password: string;
}

export interface ChardevAddArguments {
  readonly id: string;
  readonly backend: ChardevAddArgumentsBackend;
}

export type ChardevAddArgumentsBackend =
  | ({ readonly type: 'file' } & ChardevAddArgumentsBackendFile)
  | ({ readonly type: 'serial' } & ChardevAddArgumentsBackendSerial)
  | ({ readonly type: 'parallel' } & ChardevAddArgumentsBackendSerial)
  | ({ readonly type: 'pipe' } & ChardevAddArgumentsBackendSerial)
  | ({ readonly type: 'socket' } & ChardevAddArgumentsBackendSocket)
  | ({ readonly type: 'udp' } & ChardevAddArgumentsBackendUdp)
  | ({ readonly type: 'pty' } & ChardevAddArgumentsBackendPty)
  | ({ readonly type: 'null' } & ChardevAddArgumentsBackendPty)
  | ({ readonly type: 'mux' } & ChardevAddArgumentsBackendMux)
  | ({ readonly type: 'msmouse' } & ChardevAddArgumentsBackendPty)
  | ({ readonly type: 'wctablet' } & ChardevAddArgumentsBackendPty)
  | ({ readonly type: 'braille' } & ChardevAddArgumentsBackendPty)
  | ({ readonly type: 'testdev' } & ChardevAddArgumentsBackendPty)
  | ({ readonly type: 'stdio' } & ChardevAddArgumentsBackendStdio)
  | ({ readonly type: 'console' } & ChardevAddArgumentsBackendPty)
  | ({ readonly type: 'spicevmc' } & ChardevAddArgumentsBackendSpicevmc)
  | ({ readonly type: 'spiceport' } & ChardevAddArgumentsBackendSpiceport)
  | ({ readonly type: 'qemu-vdagent' } & ChardevAddArgumentsBackendQemuVdagent)
  | ({ readonly type: 'dbus' } & ChardevAddArgumentsBackendDbus)
  | ({ readonly type: 'vc' } & ChardevAddArgumentsBackendVc)
  | ({ readonly type: 'ringbuf' } & ChardevAddArgumentsBackendRingbuf)
  | ({ readonly type: 'memory' } & ChardevAddArgumentsBackendRingbuf);

export interface ChardevAddArgumentsBackendDbus {
  readonly data: ChardevAddArgumentsBackendDbusData;
}

export interface ChardevAddArgumentsBackendDbusData {
  readonly logfile?: string;
  readonly logappend?: boolean;
  readonly name: string;
}

export interface ChardevAddArgumentsBackendFile {
  readonly data: ChardevAddArgumentsBackendFileData;
}

export interface ChardevAddArgumentsBackendFileData {
  readonly logfile?: string;
  readonly logappend?: boolean;
  readonly in?: string;
  readonly out: string;
  readonly append?: boolean;
}

export interface ChardevAddArgumentsBackendMux {
  readonly data: ChardevAddArgumentsBackendMuxData;
}

export interface ChardevAddArgumentsBackendMuxData {
  readonly logfile?: string;
  readonly logappend?: boolean;
  readonly chardev: string;
}

export interface ChardevAddArgumentsBackendPty {
  readonly data: ChardevAddArgumentsBackendPtyData;
}

export interface ChardevAddArgumentsBackendPtyData {
  readonly logfile?: string;
  readonly logappend?: boolean;
}

export interface ChardevAddArgumentsBackendQemuVdagent {
  readonly data: ChardevAddArgumentsBackendQemuVdagentData;
}

export interface ChardevAddArgumentsBackendQemuVdagentData {
  readonly logfile?: string;
  readonly logappend?: boolean;
  readonly mouse?: boolean;
  readonly clipboard?: boolean;
}

export interface ChardevAddArgumentsBackendRingbuf {
  readonly data: ChardevAddArgumentsBackendRingbufData;
}

export interface ChardevAddArgumentsBackendRingbufData {
  readonly logfile?: string;
  readonly logappend?: boolean;
  readonly size?: number;
}

export interface ChardevAddArgumentsBackendSerial {
  readonly data: ChardevAddArgumentsBackendSerialData;
}

export interface ChardevAddArgumentsBackendSerialData {
  readonly logfile?: string;
  readonly logappend?: boolean;
  readonly device: string;
}

export interface ChardevAddArgumentsBackendSocket {
  readonly data: ChardevAddArgumentsBackendSocketData;
}

export interface ChardevAddArgumentsBackendSocketData {
  readonly logfile?: string;
  readonly logappend?: boolean;
  readonly addr: NbdServerStartArgumentsAddr;
  readonly 'tls-creds'?: string;
  readonly 'tls-authz'?: string;
  readonly server?: boolean;
  readonly wait?: boolean;
  readonly nodelay?: boolean;
  readonly telnet?: boolean;
  readonly tn3270?: boolean;
  readonly websocket?: boolean;
  readonly reconnect?: number;
}

export interface ChardevAddArgumentsBackendSpiceport {
  readonly data: ChardevAddArgumentsBackendSpiceportData;
}

export interface ChardevAddArgumentsBackendSpiceportData {
  readonly logfile?: string;
  readonly logappend?: boolean;
  readonly fqdn: string;
}

export interface ChardevAddArgumentsBackendSpicevmc {
  readonly data: ChardevAddArgumentsBackendSpicevmcData;
}

export interface ChardevAddArgumentsBackendSpicevmcData {
  readonly logfile?: string;
  readonly logappend?: boolean;
  readonly type: string;
}

export interface ChardevAddArgumentsBackendStdio {
  readonly data: ChardevAddArgumentsBackendStdioData;
}

export interface ChardevAddArgumentsBackendStdioData {
  readonly logfile?: string;
  readonly logappend?: boolean;
  readonly signal?: boolean;
}

export type ChardevAddArgumentsBackendType =
  | 'file'
  | 'serial'
  | 'parallel'
  | 'pipe'
  | 'socket'
  | 'udp'
  | 'pty'
  | 'null'
  | 'mux'
  | 'msmouse'
  | 'wctablet'
  | 'braille'
  | 'testdev'
  | 'stdio'
  | 'console'
  | 'spicevmc'
  | 'spiceport'
  | 'qemu-vdagent'
  | 'dbus'
  | 'vc'
  | 'ringbuf'
  | 'memory';

export interface ChardevAddArgumentsBackendUdp {
  readonly data: ChardevAddArgumentsBackendUdpData;
}

export interface ChardevAddArgumentsBackendUdpData {
  readonly logfile?: string;
  readonly logappend?: boolean;
  readonly remote: NbdServerStartArgumentsAddr;
  readonly local?: NbdServerStartArgumentsAddr;
}

export interface ChardevAddArgumentsBackendVc {
  readonly data: ChardevAddArgumentsBackendVcData;
}

export interface ChardevAddArgumentsBackendVcData {
  readonly logfile?: string;
  readonly logappend?: boolean;
  readonly width?: number;
  readonly height?: number;
  readonly cols?: number;
  readonly rows?: number;
}

export interface ChardevAddResult {
  readonly pty?: string;
}

export interface ChardevChangeArguments {
  readonly id: string;
  readonly backend: ChardevAddArgumentsBackend;
}

export interface ChardevRemoveArguments {
  readonly id: string;
}

export interface ChardevSendBreakArguments {
  readonly id: string;
}

export interface ClientMigrateInfoArguments {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly 'tls-port'?: number;
  readonly 'cert-subject'?: string;
}

export interface ClosefdArguments {
  readonly fdname: string;
}

export interface ColoExitData {
  readonly mode: QueryColoStatusResultMode;
  readonly reason: QueryColoStatusResultReason;
}

export interface DeviceAddArguments {
  readonly driver: string;
  readonly bus?: string;
  readonly id?: string;
}

export interface DeviceDelArguments {
  readonly id: string;
}

export interface DeviceDeletedData {
  readonly device?: string;
  readonly path: string;
}

export interface DeviceListPropertiesArguments {
  readonly typename: string;
}

export interface DeviceListPropertiesItem {
  readonly name: string;
  readonly type: string;
  readonly description?: string;
  readonly 'default-value'?: unknown;
}

export interface DeviceTrayMovedData {
  readonly device: string;
  readonly id: string;
  readonly 'tray-open': boolean;
}

export interface DeviceUnplugGuestErrorData {
  readonly device?: string;
  readonly path: string;
}

export type DisplayReloadArguments =
  | ({ readonly type: 'vnc' } & DisplayReloadArgumentsVnc);

export type DisplayReloadArgumentsType = 'vnc';

export interface DisplayReloadArgumentsVnc {
  readonly 'tls-certs'?: boolean;
}

export type DisplayUpdateArguments =
  | ({ readonly type: 'vnc' } & DisplayUpdateArgumentsVnc);

export type DisplayUpdateArgumentsType = 'vnc';

export interface DisplayUpdateArgumentsVnc {
  readonly addresses?: readonly NetdevStreamConnectedDataAddr[];
}

export interface DriveBackupArguments {
  readonly 'job-id'?: string;
  readonly device: string;
  readonly sync: BlockdevBackupArgumentsSync;
  readonly speed?: number;
  readonly bitmap?: string;
  readonly 'bitmap-mode'?: BlockdevBackupArgumentsBitmapMode;
  readonly compress?: boolean;
  readonly 'on-source-error'?: BlockCommitArgumentsOnError;
  readonly 'on-target-error'?: BlockCommitArgumentsOnError;
  readonly 'auto-finalize'?: boolean;
  readonly 'auto-dismiss'?: boolean;
  readonly 'filter-node-name'?: string;
  /** @experimental QEMU may change it */
  readonly 'x-perf'?: BlockdevBackupArgumentsXPerf;
  readonly target: string;
  readonly format?: string;
  readonly mode?: BlockdevSnapshotSyncArgumentsMode;
}

export interface DriveMirrorArguments {
  readonly 'job-id'?: string;
  readonly device: string;
  readonly target: string;
  readonly format?: string;
  readonly 'node-name'?: string;
  readonly replaces?: string;
  readonly sync: BlockdevBackupArgumentsSync;
  readonly mode?: BlockdevSnapshotSyncArgumentsMode;
  readonly speed?: number;
  readonly granularity?: number;
  readonly 'buf-size'?: number;
  readonly 'on-source-error'?: BlockCommitArgumentsOnError;
  readonly 'on-target-error'?: BlockCommitArgumentsOnError;
  readonly unmap?: boolean;
  readonly 'copy-mode'?: BlockdevMirrorArgumentsCopyMode;
  readonly 'auto-finalize'?: boolean;
  readonly 'auto-dismiss'?: boolean;
}

export interface DumpCompletedData {
  readonly result: QueryDumpResult;
  readonly error?: string;
}

export interface DumpGuestMemoryArguments {
  readonly paging: boolean;
  readonly protocol: string;
  readonly detach?: boolean;
  readonly begin?: number;
  readonly length?: number;
  readonly format?: DumpGuestMemoryArgumentsFormat;
}

export type DumpGuestMemoryArgumentsFormat = 'elf' | 'kdump-zlib' | 'kdump-lzo' | 'kdump-snappy' | 'win-dmp';

export interface DumpdtbArguments {
  readonly filename: string;
}

export interface EjectArguments {
  /** @deprecated QEMU may remove it */
  readonly device?: string;
  readonly id?: string;
  readonly force?: boolean;
}

export interface ExpirePasswordArgumentsCommon {
  readonly time: string;
}
export type ExpirePasswordArguments = ExpirePasswordArgumentsCommon & (
  | ({ readonly protocol: 'vnc' } & ExpirePasswordArgumentsVnc)
  | { readonly protocol: 'spice' }
);

export type ExpirePasswordArgumentsProtocol = 'vnc' | 'spice';

export interface ExpirePasswordArgumentsVnc {
  readonly display?: string;
}

export interface FailoverNegotiatedData {
  readonly 'device-id': string;
}

export interface GetfdArguments {
  readonly fdname: string;
}

export interface GuestCrashloadedData {
  readonly action: GuestCrashloadedDataAction;
  readonly info?: GuestCrashloadedDataInfo;
}

export type GuestCrashloadedDataAction = 'pause' | 'poweroff' | 'run';

export type GuestCrashloadedDataInfo =
  | ({ readonly type: 'hyper-v' } & GuestCrashloadedDataInfoHyperV)
  | ({ readonly type: 's390' } & GuestCrashloadedDataInfoS390);

export interface GuestCrashloadedDataInfoHyperV {
  readonly arg1: number;
  readonly arg2: number;
  readonly arg3: number;
  readonly arg4: number;
  readonly arg5: number;
}

export interface GuestCrashloadedDataInfoS390 {
  readonly core: number;
  readonly 'psw-mask': number;
  readonly 'psw-addr': number;
  readonly reason: GuestCrashloadedDataInfoS390Reason;
}

export type GuestCrashloadedDataInfoS390Reason = 'unknown' | 'disabled-wait' | 'extint-loop' | 'pgmint-loop' | 'opint-loop';

export type GuestCrashloadedDataInfoType = 'hyper-v' | 's390';

export interface GuestPanickedData {
  readonly action: GuestCrashloadedDataAction;
  readonly info?: GuestCrashloadedDataInfo;
}

export interface HumanMonitorCommandArguments {
  readonly 'command-line': string;
  readonly 'cpu-index'?: number;
}

export interface InputSendEventArguments {
  readonly device?: string;
  readonly head?: number;
  readonly events: readonly InputSendEventArgumentsEvents[];
}

export type InputSendEventArgumentsEvents =
  | ({ readonly type: 'key' } & InputSendEventArgumentsEventsKey)
  | ({ readonly type: 'btn' } & InputSendEventArgumentsEventsBtn)
  | ({ readonly type: 'rel' } & InputSendEventArgumentsEventsRel)
  | ({ readonly type: 'abs' } & InputSendEventArgumentsEventsRel);

export interface InputSendEventArgumentsEventsBtn {
  readonly data: InputSendEventArgumentsEventsBtnData;
}

export interface InputSendEventArgumentsEventsBtnData {
  readonly button: InputSendEventArgumentsEventsBtnDataButton;
  readonly down: boolean;
}

export type InputSendEventArgumentsEventsBtnDataButton =
  | 'left'
  | 'middle'
  | 'right'
  | 'wheel-up'
  | 'wheel-down'
  | 'side'
  | 'extra'
  | 'wheel-left'
  | 'wheel-right';

export interface InputSendEventArgumentsEventsKey {
  readonly data: InputSendEventArgumentsEventsKeyData;
}

export interface InputSendEventArgumentsEventsKeyData {
  readonly key: SendKeyArgumentsKeys;
  readonly down: boolean;
}

export interface InputSendEventArgumentsEventsRel {
  readonly data: InputSendEventArgumentsEventsRelData;
}

export interface InputSendEventArgumentsEventsRelData {
  readonly axis: InputSendEventArgumentsEventsRelDataAxis;
  readonly value: number;
}

export type InputSendEventArgumentsEventsRelDataAxis = 'x' | 'y';

export type InputSendEventArgumentsEventsType = 'key' | 'btn' | 'rel' | 'abs';

export interface JobCancelArguments {
  readonly id: string;
}

export interface JobCompleteArguments {
  readonly id: string;
}

export interface JobDismissArguments {
  readonly id: string;
}

export interface JobFinalizeArguments {
  readonly id: string;
}

export interface JobPauseArguments {
  readonly id: string;
}

export interface JobResumeArguments {
  readonly id: string;
}

export interface JobStatusChangeData {
  readonly id: string;
  readonly status: JobStatusChangeDataStatus;
}

export type JobStatusChangeDataStatus =
  | 'undefined'
  | 'created'
  | 'running'
  | 'paused'
  | 'ready'
  | 'standby'
  | 'waiting'
  | 'pending'
  | 'aborting'
  | 'concluded'
  | 'null';

export interface MemUnplugErrorData {
  readonly device: string;
  readonly msg: string;
}

export interface MemoryDeviceSizeChangeData {
  readonly id?: string;
  readonly size: number;
  readonly 'qom-path': string;
}

export interface MemoryFailureData {
  readonly recipient: MemoryFailureDataRecipient;
  readonly action: MemoryFailureDataAction;
  readonly flags: MemoryFailureDataFlags;
}

export type MemoryFailureDataAction = 'ignore' | 'inject' | 'fatal' | 'reset';

export interface MemoryFailureDataFlags {
  readonly 'action-required': boolean;
  readonly recursive: boolean;
}

export type MemoryFailureDataRecipient = 'hypervisor' | 'guest';

export interface MemsaveArguments {
  readonly val: number;
  readonly size: number;
  readonly filename: string;
  readonly 'cpu-index'?: number;
}

export interface MigrateArguments {
  readonly uri: string;
  readonly blk?: boolean;
  readonly inc?: boolean;
  readonly detach?: boolean;
  readonly resume?: boolean;
}

export interface MigrateContinueArguments {
  readonly state: MigrateContinueArgumentsState;
}

export type MigrateContinueArgumentsState =
  | 'none'
  | 'setup'
  | 'cancelling'
  | 'cancelled'
  | 'active'
  | 'postcopy-active'
  | 'postcopy-paused'
  | 'postcopy-recover'
  | 'completed'
  | 'failed'
  | 'colo'
  | 'pre-switchover'
  | 'device'
  | 'wait-unplug';

export interface MigrateIncomingArguments {
  readonly uri: string;
}

export interface MigrateRecoverArguments {
  readonly uri: string;
}

export interface MigrateSetCapabilitiesArguments {
  readonly capabilities: readonly QueryMigrateCapabilitiesItem[];
}

export interface MigrateSetParametersArguments {
  readonly 'announce-initial'?: number;
  readonly 'announce-max'?: number;
  readonly 'announce-rounds'?: number;
  readonly 'announce-step'?: number;
  readonly 'compress-level'?: number;
  readonly 'compress-threads'?: number;
  readonly 'compress-wait-thread'?: boolean;
  readonly 'decompress-threads'?: number;
  readonly 'throttle-trigger-threshold'?: number;
  readonly 'cpu-throttle-initial'?: number;
  readonly 'cpu-throttle-increment'?: number;
  readonly 'cpu-throttle-tailslow'?: boolean;
  readonly 'tls-creds'?: MigrateSetParametersArgumentsTlsCreds;
  readonly 'tls-hostname'?: MigrateSetParametersArgumentsTlsCreds;
  readonly 'tls-authz'?: MigrateSetParametersArgumentsTlsCreds;
  readonly 'max-bandwidth'?: number;
  readonly 'downtime-limit'?: number;
  /** @experimental QEMU may change it */
  readonly 'x-checkpoint-delay'?: number;
  readonly 'block-incremental'?: boolean;
  readonly 'multifd-channels'?: number;
  readonly 'xbzrle-cache-size'?: number;
  readonly 'max-postcopy-bandwidth'?: number;
  readonly 'max-cpu-throttle'?: number;
  readonly 'multifd-compression'?: MigrateSetParametersArgumentsMultifdCompression;
  readonly 'multifd-zlib-level'?: number;
  readonly 'multifd-zstd-level'?: number;
  readonly 'block-bitmap-mapping'?: readonly MigrateSetParametersArgumentsBlockBitmapMapping[];
}

export interface MigrateSetParametersArgumentsBlockBitmapMapping {
  readonly 'node-name': string;
  readonly alias: string;
  readonly bitmaps: readonly MigrateSetParametersArgumentsBlockBitmapMappingBitmaps[];
}

export interface MigrateSetParametersArgumentsBlockBitmapMappingBitmaps {
  readonly name: string;
  readonly alias: string;
  readonly transform?: MigrateSetParametersArgumentsBlockBitmapMappingBitmapsTransform;
}

export interface MigrateSetParametersArgumentsBlockBitmapMappingBitmapsTransform {
  readonly persistent?: boolean;
}

export type MigrateSetParametersArgumentsMultifdCompression = 'none' | 'zlib' | 'zstd';

export type MigrateSetParametersArgumentsTlsCreds = string | null;

export interface MigrationData {
  readonly status: MigrateContinueArgumentsState;
}

export interface MigrationPassData {
  readonly pass: number;
}

export interface NbdServerAddArguments {
  readonly name?: string;
  readonly description?: string;
  readonly device: string;
  readonly writable?: boolean;
  readonly bitmap?: string;
}

export interface NbdServerRemoveArguments {
  readonly name: string;
  readonly mode?: BlockExportDelArgumentsMode;
}

export interface NbdServerStartArguments {
  readonly addr: NbdServerStartArgumentsAddr;
  readonly 'tls-creds'?: string;
  readonly 'tls-authz'?: string;
  readonly 'max-connections'?: number;
}

export type NbdServerStartArgumentsAddr =
  | ({ readonly type: 'inet' } & NbdServerStartArgumentsAddrInet)
  | ({ readonly type: 'unix' } & NbdServerStartArgumentsAddrUnix)
  | ({ readonly type: 'vsock' } & NbdServerStartArgumentsAddrVsock)
  | ({ readonly type: 'fd' } & NbdServerStartArgumentsAddrFd);

export interface NbdServerStartArgumentsAddrFd {
  readonly data: NetdevStreamConnectedDataAddrFd;
}

export interface NbdServerStartArgumentsAddrInet {
  readonly data: BlockdevAddArgumentsSshServer;
}

export type NbdServerStartArgumentsAddrType = 'inet' | 'unix' | 'vsock' | 'fd';

export interface NbdServerStartArgumentsAddrUnix {
  readonly data: NetdevStreamConnectedDataAddrUnix;
}

export interface NbdServerStartArgumentsAddrVsock {
  readonly data: NetdevStreamConnectedDataAddrVsock;
}

export interface NetdevAddArgumentsCommon {
  readonly id: string;
}
export type NetdevAddArguments = NetdevAddArgumentsCommon & (
  | ({ readonly type: 'nic' } & NetdevAddArgumentsNic)
  | ({ readonly type: 'user' } & NetdevAddArgumentsUser)
  | ({ readonly type: 'tap' } & NetdevAddArgumentsTap)
  | ({ readonly type: 'l2tpv3' } & NetdevAddArgumentsL2tpv3)
  | ({ readonly type: 'socket' } & NetdevAddArgumentsSocket)
  | ({ readonly type: 'stream' } & NetdevAddArgumentsStream)
  | ({ readonly type: 'dgram' } & NetdevAddArgumentsDgram)
  | ({ readonly type: 'vde' } & NetdevAddArgumentsVde)
  | ({ readonly type: 'bridge' } & NetdevAddArgumentsBridge)
  | ({ readonly type: 'hubport' } & NetdevAddArgumentsHubport)
  | ({ readonly type: 'netmap' } & NetdevAddArgumentsNetmap)
  | ({ readonly type: 'vhost-user' } & NetdevAddArgumentsVhostUser)
  | ({ readonly type: 'vhost-vdpa' } & NetdevAddArgumentsVhostVdpa)
  | { readonly type: 'none' }
);

export interface NetdevAddArgumentsBridge {
  readonly br?: string;
  readonly helper?: string;
}

export interface NetdevAddArgumentsDgram {
  readonly local?: NetdevStreamConnectedDataAddr;
  readonly remote?: NetdevStreamConnectedDataAddr;
}

export interface NetdevAddArgumentsHubport {
  readonly hubid: number;
  readonly netdev?: string;
}

export interface NetdevAddArgumentsL2tpv3 {
  readonly src: string;
  readonly dst: string;
  readonly srcport?: string;
  readonly dstport?: string;
  readonly ipv6?: boolean;
  readonly udp?: boolean;
  readonly cookie64?: boolean;
  readonly counter?: boolean;
  readonly pincounter?: boolean;
  readonly txcookie?: number;
  readonly rxcookie?: number;
  readonly txsession: number;
  readonly rxsession?: number;
  readonly offset?: number;
}

export interface NetdevAddArgumentsNetmap {
  readonly ifname: string;
  readonly devname?: string;
}

export interface NetdevAddArgumentsNic {
  readonly netdev?: string;
  readonly macaddr?: string;
  readonly model?: string;
  readonly addr?: string;
  readonly vectors?: number;
}

export interface NetdevAddArgumentsSocket {
  readonly fd?: string;
  readonly listen?: string;
  readonly connect?: string;
  readonly mcast?: string;
  readonly localaddr?: string;
  readonly udp?: string;
}

export interface NetdevAddArgumentsStream {
  readonly addr: NetdevStreamConnectedDataAddr;
  readonly server?: boolean;
}

export interface NetdevAddArgumentsTap {
  readonly ifname?: string;
  readonly fd?: string;
  readonly fds?: string;
  readonly script?: string;
  readonly downscript?: string;
  readonly br?: string;
  readonly helper?: string;
  readonly sndbuf?: number;
  readonly vnet_hdr?: boolean;
  readonly vhost?: boolean;
  readonly vhostfd?: string;
  readonly vhostfds?: string;
  readonly vhostforce?: boolean;
  readonly queues?: number;
  readonly 'poll-us'?: number;
}

export type NetdevAddArgumentsType =
  | 'none'
  | 'nic'
  | 'user'
  | 'tap'
  | 'l2tpv3'
  | 'socket'
  | 'stream'
  | 'dgram'
  | 'vde'
  | 'bridge'
  | 'hubport'
  | 'netmap'
  | 'vhost-user'
  | 'vhost-vdpa';

export interface NetdevAddArgumentsUser {
  readonly hostname?: string;
  readonly restrict?: boolean;
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly ip?: string;
  readonly net?: string;
  readonly host?: string;
  readonly tftp?: string;
  readonly bootfile?: string;
  readonly dhcpstart?: string;
  readonly dns?: string;
  readonly dnssearch?: readonly NetdevStreamConnectedDataAddrFd[];
  readonly domainname?: string;
  readonly 'ipv6-prefix'?: string;
  readonly 'ipv6-prefixlen'?: number;
  readonly 'ipv6-host'?: string;
  readonly 'ipv6-dns'?: string;
  readonly smb?: string;
  readonly smbserver?: string;
  readonly hostfwd?: readonly NetdevStreamConnectedDataAddrFd[];
  readonly guestfwd?: readonly NetdevStreamConnectedDataAddrFd[];
  readonly 'tftp-server-name'?: string;
}

export interface NetdevAddArgumentsVde {
  readonly sock?: string;
  readonly port?: number;
  readonly group?: string;
  readonly mode?: number;
}

export interface NetdevAddArgumentsVhostUser {
  readonly chardev: string;
  readonly vhostforce?: boolean;
  readonly queues?: number;
}

export interface NetdevAddArgumentsVhostVdpa {
  readonly vhostdev?: string;
  readonly vhostfd?: string;
  readonly queues?: number;
  /** @experimental QEMU may change it */
  readonly 'x-svq'?: boolean;
}

export interface NetdevDelArguments {
  readonly id: string;
}

export interface NetdevStreamConnectedData {
  readonly 'netdev-id': string;
  readonly addr: NetdevStreamConnectedDataAddr;
}

export type NetdevStreamConnectedDataAddr =
  | ({ readonly type: 'inet' } & BlockdevAddArgumentsSshServer)
  | ({ readonly type: 'unix' } & NetdevStreamConnectedDataAddrUnix)
  | ({ readonly type: 'vsock' } & NetdevStreamConnectedDataAddrVsock)
  | ({ readonly type: 'fd' } & NetdevStreamConnectedDataAddrFd);

export interface NetdevStreamConnectedDataAddrFd {
  readonly str: string;
}

export interface NetdevStreamConnectedDataAddrUnix {
  readonly path: string;
  readonly abstract?: boolean;
  readonly tight?: boolean;
}

export interface NetdevStreamConnectedDataAddrVsock {
  readonly cid: string;
  readonly port: string;
}

export interface NetdevStreamDisconnectedData {
  readonly 'netdev-id': string;
}

export interface NicRxFilterChangedData {
  readonly name?: string;
  readonly path: string;
}

export interface ObjectAddArgumentsCommon {
  readonly id: string;
}
export type ObjectAddArguments = ObjectAddArgumentsCommon & (
  | ({ readonly 'qom-type': 'authz-list' } & ObjectAddArgumentsAuthzList)
  | ({ readonly 'qom-type': 'authz-listfile' } & ObjectAddArgumentsAuthzListfile)
  | ({ readonly 'qom-type': 'authz-pam' } & ObjectAddArgumentsAuthzPam)
  | ({ readonly 'qom-type': 'authz-simple' } & ObjectAddArgumentsAuthzSimple)
  | ({ readonly 'qom-type': 'can-host-socketcan' } & ObjectAddArgumentsCanHostSocketcan)
  | ({ readonly 'qom-type': 'colo-compare' } & ObjectAddArgumentsColoCompare)
  | ({ readonly 'qom-type': 'cryptodev-backend' } & ObjectAddArgumentsCryptodevBackend)
  | ({ readonly 'qom-type': 'cryptodev-backend-builtin' } & ObjectAddArgumentsCryptodevBackend)
  | ({ readonly 'qom-type': 'cryptodev-backend-lkcf' } & ObjectAddArgumentsCryptodevBackend)
  | ({ readonly 'qom-type': 'cryptodev-vhost-user' } & ObjectAddArgumentsCryptodevVhostUser)
  | ({ readonly 'qom-type': 'dbus-vmstate' } & ObjectAddArgumentsDbusVmstate)
  | ({ readonly 'qom-type': 'filter-buffer' } & ObjectAddArgumentsFilterBuffer)
  | ({ readonly 'qom-type': 'filter-dump' } & ObjectAddArgumentsFilterDump)
  | ({ readonly 'qom-type': 'filter-mirror' } & ObjectAddArgumentsFilterMirror)
  | ({ readonly 'qom-type': 'filter-redirector' } & ObjectAddArgumentsFilterRedirector)
  | ({ readonly 'qom-type': 'filter-replay' } & ObjectAddArgumentsFilterReplay)
  | ({ readonly 'qom-type': 'filter-rewriter' } & ObjectAddArgumentsFilterRewriter)
  | ({ readonly 'qom-type': 'input-barrier' } & ObjectAddArgumentsInputBarrier)
  | ({ readonly 'qom-type': 'input-linux' } & ObjectAddArgumentsInputLinux)
  | ({ readonly 'qom-type': 'iothread' } & ObjectAddArgumentsIothread)
  | ({ readonly 'qom-type': 'main-loop' } & ObjectAddArgumentsMainLoop)
  | ({ readonly 'qom-type': 'memory-backend-epc' } & ObjectAddArgumentsMemoryBackendEpc)
  | ({ readonly 'qom-type': 'memory-backend-file' } & ObjectAddArgumentsMemoryBackendFile)
  | ({ readonly 'qom-type': 'memory-backend-memfd' } & ObjectAddArgumentsMemoryBackendMemfd)
  | ({ readonly 'qom-type': 'memory-backend-ram' } & ObjectAddArgumentsMemoryBackendRam)
  | ({ readonly 'qom-type': 'pr-manager-helper' } & ObjectAddArgumentsPrManagerHelper)
  | ({ readonly 'qom-type': 'qtest' } & ObjectAddArgumentsQtest)
  | ({ readonly 'qom-type': 'rng-builtin' } & ObjectAddArgumentsRngBuiltin)
  | ({ readonly 'qom-type': 'rng-egd' } & ObjectAddArgumentsRngEgd)
  | ({ readonly 'qom-type': 'rng-random' } & ObjectAddArgumentsRngRandom)
  | ({ readonly 'qom-type': 'secret' } & ObjectAddArgumentsSecret)
  | ({ readonly 'qom-type': 'secret_keyring' } & ObjectAddArgumentsSecretKeyring)
  | ({ readonly 'qom-type': 'sev-guest' } & ObjectAddArgumentsSevGuest)
  | ({ readonly 'qom-type': 'thread-context' } & ObjectAddArgumentsThreadContext)
  | ({ readonly 'qom-type': 'throttle-group' } & ObjectAddArgumentsThrottleGroup)
  | ({ readonly 'qom-type': 'tls-creds-anon' } & ObjectAddArgumentsTlsCredsAnon)
  | ({ readonly 'qom-type': 'tls-creds-psk' } & ObjectAddArgumentsTlsCredsPsk)
  | ({ readonly 'qom-type': 'tls-creds-x509' } & ObjectAddArgumentsTlsCredsX509)
  | ({ readonly 'qom-type': 'tls-cipher-suites' } & ObjectAddArgumentsTlsCipherSuites)
  | ({ readonly 'qom-type': 'x-remote-object' } & ObjectAddArgumentsXRemoteObject)
  | ({ readonly 'qom-type': 'x-vfio-user-server' } & ObjectAddArgumentsXVfioUserServer)
  | { readonly 'qom-type': 'can-bus' | 'pef-guest' | 's390-pv-guest' }
);

export interface ObjectAddArgumentsAuthzList {
  readonly policy?: ObjectAddArgumentsAuthzListPolicy;
  readonly rules?: readonly ObjectAddArgumentsAuthzListRules[];
}

export type ObjectAddArgumentsAuthzListPolicy = 'deny' | 'allow';

export interface ObjectAddArgumentsAuthzListRules {
  readonly match: string;
  readonly policy: ObjectAddArgumentsAuthzListPolicy;
  readonly format?: ObjectAddArgumentsAuthzListRulesFormat;
}

export type ObjectAddArgumentsAuthzListRulesFormat = 'exact' | 'glob';

export interface ObjectAddArgumentsAuthzListfile {
  readonly filename: string;
  readonly refresh?: boolean;
}

export interface ObjectAddArgumentsAuthzPam {
  readonly service: string;
}

export interface ObjectAddArgumentsAuthzSimple {
  readonly identity: string;
}

export interface ObjectAddArgumentsCanHostSocketcan {
  readonly if: string;
  readonly canbus: string;
}

export interface ObjectAddArgumentsColoCompare {
  readonly primary_in: string;
  readonly secondary_in: string;
  readonly outdev: string;
  readonly iothread: string;
  readonly notify_dev?: string;
  readonly compare_timeout?: number;
  readonly expired_scan_cycle?: number;
  readonly max_queue_size?: number;
  readonly vnet_hdr_support?: boolean;
}

export interface ObjectAddArgumentsCryptodevBackend {
  readonly queues?: number;
}

export interface ObjectAddArgumentsCryptodevVhostUser {
  readonly queues?: number;
  readonly chardev: string;
}

export interface ObjectAddArgumentsDbusVmstate {
  readonly addr: string;
  readonly 'id-list'?: string;
}

export interface ObjectAddArgumentsFilterBuffer {
  readonly netdev: string;
  readonly queue?: ObjectAddArgumentsFilterBufferQueue;
  readonly status?: string;
  readonly position?: string;
  readonly insert?: ObjectAddArgumentsFilterBufferInsert;
  readonly interval: number;
}

export type ObjectAddArgumentsFilterBufferInsert = 'before' | 'behind';

export type ObjectAddArgumentsFilterBufferQueue = 'all' | 'rx' | 'tx';

export interface ObjectAddArgumentsFilterDump {
  readonly netdev: string;
  readonly queue?: ObjectAddArgumentsFilterBufferQueue;
  readonly status?: string;
  readonly position?: string;
  readonly insert?: ObjectAddArgumentsFilterBufferInsert;
  readonly file: string;
  readonly maxlen?: number;
}

export interface ObjectAddArgumentsFilterMirror {
  readonly netdev: string;
  readonly queue?: ObjectAddArgumentsFilterBufferQueue;
  readonly status?: string;
  readonly position?: string;
  readonly insert?: ObjectAddArgumentsFilterBufferInsert;
  readonly outdev: string;
  readonly vnet_hdr_support?: boolean;
}

export interface ObjectAddArgumentsFilterRedirector {
  readonly netdev: string;
  readonly queue?: ObjectAddArgumentsFilterBufferQueue;
  readonly status?: string;
  readonly position?: string;
  readonly insert?: ObjectAddArgumentsFilterBufferInsert;
  readonly indev?: string;
  readonly outdev?: string;
  readonly vnet_hdr_support?: boolean;
}

export interface ObjectAddArgumentsFilterReplay {
  readonly netdev: string;
  readonly queue?: ObjectAddArgumentsFilterBufferQueue;
  readonly status?: string;
  readonly position?: string;
  readonly insert?: ObjectAddArgumentsFilterBufferInsert;
}

export interface ObjectAddArgumentsFilterRewriter {
  readonly netdev: string;
  readonly queue?: ObjectAddArgumentsFilterBufferQueue;
  readonly status?: string;
  readonly position?: string;
  readonly insert?: ObjectAddArgumentsFilterBufferInsert;
  readonly vnet_hdr_support?: boolean;
}

export interface ObjectAddArgumentsInputBarrier {
  readonly name: string;
  readonly server?: string;
  readonly port?: string;
  readonly 'x-origin'?: string;
  readonly 'y-origin'?: string;
  readonly width?: string;
  readonly height?: string;
}

export interface ObjectAddArgumentsInputLinux {
  readonly evdev: string;
  readonly grab_all?: boolean;
  readonly repeat?: boolean;
  readonly 'grab-toggle'?: ObjectAddArgumentsInputLinuxGrabToggle;
}

export type ObjectAddArgumentsInputLinuxGrabToggle =
  | 'ctrl-ctrl'
  | 'alt-alt'
  | 'shift-shift'
  | 'meta-meta'
  | 'scrolllock'
  | 'ctrl-scrolllock';

export interface ObjectAddArgumentsIothread {
  readonly 'aio-max-batch'?: number;
  readonly 'thread-pool-min'?: number;
  readonly 'thread-pool-max'?: number;
  readonly 'poll-max-ns'?: number;
  readonly 'poll-grow'?: number;
  readonly 'poll-shrink'?: number;
}

export interface ObjectAddArgumentsMainLoop {
  readonly 'aio-max-batch'?: number;
  readonly 'thread-pool-min'?: number;
  readonly 'thread-pool-max'?: number;
}

export interface ObjectAddArgumentsMemoryBackendEpc {
  readonly dump?: boolean;
  readonly 'host-nodes'?: readonly number[];
  readonly merge?: boolean;
  readonly policy?: ObjectAddArgumentsMemoryBackendEpcPolicy;
  readonly prealloc?: boolean;
  readonly 'prealloc-threads'?: number;
  readonly 'prealloc-context'?: string;
  readonly share?: boolean;
  readonly reserve?: boolean;
  readonly size: number;
  readonly 'x-use-canonical-path-for-ramblock-id'?: boolean;
}

export type ObjectAddArgumentsMemoryBackendEpcPolicy = 'default' | 'preferred' | 'bind' | 'interleave';

export interface ObjectAddArgumentsMemoryBackendFile {
  readonly dump?: boolean;
  readonly 'host-nodes'?: readonly number[];
  readonly merge?: boolean;
  readonly policy?: ObjectAddArgumentsMemoryBackendEpcPolicy;
  readonly prealloc?: boolean;
  readonly 'prealloc-threads'?: number;
  readonly 'prealloc-context'?: string;
  readonly share?: boolean;
  readonly reserve?: boolean;
  readonly size: number;
  readonly 'x-use-canonical-path-for-ramblock-id'?: boolean;
  readonly align?: number;
  readonly 'discard-data'?: boolean;
  readonly 'mem-path': string;
  readonly pmem?: boolean;
  readonly readonly?: boolean;
}

export interface ObjectAddArgumentsMemoryBackendMemfd {
  readonly dump?: boolean;
  readonly 'host-nodes'?: readonly number[];
  readonly merge?: boolean;
  readonly policy?: ObjectAddArgumentsMemoryBackendEpcPolicy;
  readonly prealloc?: boolean;
  readonly 'prealloc-threads'?: number;
  readonly 'prealloc-context'?: string;
  readonly share?: boolean;
  readonly reserve?: boolean;
  readonly size: number;
  readonly 'x-use-canonical-path-for-ramblock-id'?: boolean;
  readonly hugetlb?: boolean;
  readonly hugetlbsize?: number;
  readonly seal?: boolean;
}

export interface ObjectAddArgumentsMemoryBackendRam {
  readonly dump?: boolean;
  readonly 'host-nodes'?: readonly number[];
  readonly merge?: boolean;
  readonly policy?: ObjectAddArgumentsMemoryBackendEpcPolicy;
  readonly prealloc?: boolean;
  readonly 'prealloc-threads'?: number;
  readonly 'prealloc-context'?: string;
  readonly share?: boolean;
  readonly reserve?: boolean;
  readonly size: number;
  readonly 'x-use-canonical-path-for-ramblock-id'?: boolean;
}

export interface ObjectAddArgumentsPrManagerHelper {
  readonly path: string;
}

export type ObjectAddArgumentsQomType =
  | 'authz-list'
  | 'authz-listfile'
  | 'authz-pam'
  | 'authz-simple'
  | 'can-bus'
  | 'can-host-socketcan'
  | 'colo-compare'
  | 'cryptodev-backend'
  | 'cryptodev-backend-builtin'
  | 'cryptodev-backend-lkcf'
  | 'cryptodev-vhost-user'
  | 'dbus-vmstate'
  | 'filter-buffer'
  | 'filter-dump'
  | 'filter-mirror'
  | 'filter-redirector'
  | 'filter-replay'
  | 'filter-rewriter'
  | 'input-barrier'
  | 'input-linux'
  | 'iothread'
  | 'main-loop'
  | 'memory-backend-epc'
  | 'memory-backend-file'
  | 'memory-backend-memfd'
  | 'memory-backend-ram'
  | 'pef-guest'
  | 'pr-manager-helper'
  | 'qtest'
  | 'rng-builtin'
  | 'rng-egd'
  | 'rng-random'
  | 'secret'
  | 'secret_keyring'
  | 'sev-guest'
  | 'thread-context'
  | 's390-pv-guest'
  | 'throttle-group'
  | 'tls-creds-anon'
  | 'tls-creds-psk'
  | 'tls-creds-x509'
  | 'tls-cipher-suites'
  | 'x-remote-object'
  | 'x-vfio-user-server';

export interface ObjectAddArgumentsQtest {
  readonly chardev: string;
  readonly log?: string;
}

export interface ObjectAddArgumentsRngBuiltin {
  /** @deprecated QEMU may remove it */
  readonly opened?: boolean;
}

export interface ObjectAddArgumentsRngEgd {
  /** @deprecated QEMU may remove it */
  readonly opened?: boolean;
  readonly chardev: string;
}

export interface ObjectAddArgumentsRngRandom {
  /** @deprecated QEMU may remove it */
  readonly opened?: boolean;
  readonly filename?: string;
}

export interface ObjectAddArgumentsSecret {
  /** @deprecated QEMU may remove it */
  readonly loaded?: boolean;
  readonly format?: ObjectAddArgumentsSecretFormat;
  readonly keyid?: string;
  readonly iv?: string;
  readonly data?: string;
  readonly file?: string;
}

export type ObjectAddArgumentsSecretFormat = 'raw' | 'base64';

export interface ObjectAddArgumentsSecretKeyring {
  /** @deprecated QEMU may remove it */
  readonly loaded?: boolean;
  readonly format?: ObjectAddArgumentsSecretFormat;
  readonly keyid?: string;
  readonly iv?: string;
  readonly serial: number;
}

export interface ObjectAddArgumentsSevGuest {
  readonly 'sev-device'?: string;
  readonly 'dh-cert-file'?: string;
  readonly 'session-file'?: string;
  readonly policy?: number;
  readonly handle?: number;
  readonly cbitpos?: number;
  readonly 'reduced-phys-bits': number;
  readonly 'kernel-hashes'?: boolean;
}

export interface ObjectAddArgumentsThreadContext {
  readonly 'cpu-affinity'?: readonly number[];
  readonly 'node-affinity'?: readonly number[];
}

export interface ObjectAddArgumentsThrottleGroup {
  readonly limits?: ObjectAddArgumentsThrottleGroupLimits;
  /** @experimental QEMU may change it */
  readonly 'x-iops-total'?: number;
  /** @experimental QEMU may change it */
  readonly 'x-iops-total-max'?: number;
  /** @experimental QEMU may change it */
  readonly 'x-iops-total-max-length'?: number;
  /** @experimental QEMU may change it */
  readonly 'x-iops-read'?: number;
  /** @experimental QEMU may change it */
  readonly 'x-iops-read-max'?: number;
  /** @experimental QEMU may change it */
  readonly 'x-iops-read-max-length'?: number;
  /** @experimental QEMU may change it */
  readonly 'x-iops-write'?: number;
  /** @experimental QEMU may change it */
  readonly 'x-iops-write-max'?: number;
  /** @experimental QEMU may change it */
  readonly 'x-iops-write-max-length'?: number;
  /** @experimental QEMU may change it */
  readonly 'x-bps-total'?: number;
  /** @experimental QEMU may change it */
  readonly 'x-bps-total-max'?: number;
  /** @experimental QEMU may change it */
  readonly 'x-bps-total-max-length'?: number;
  /** @experimental QEMU may change it */
  readonly 'x-bps-read'?: number;
  /** @experimental QEMU may change it */
  readonly 'x-bps-read-max'?: number;
  /** @experimental QEMU may change it */
  readonly 'x-bps-read-max-length'?: number;
  /** @experimental QEMU may change it */
  readonly 'x-bps-write'?: number;
  /** @experimental QEMU may change it */
  readonly 'x-bps-write-max'?: number;
  /** @experimental QEMU may change it */
  readonly 'x-bps-write-max-length'?: number;
  /** @experimental QEMU may change it */
  readonly 'x-iops-size'?: number;
}

export interface ObjectAddArgumentsThrottleGroupLimits {
  readonly 'iops-total'?: number;
  readonly 'iops-total-max'?: number;
  readonly 'iops-total-max-length'?: number;
  readonly 'iops-read'?: number;
  readonly 'iops-read-max'?: number;
  readonly 'iops-read-max-length'?: number;
  readonly 'iops-write'?: number;
  readonly 'iops-write-max'?: number;
  readonly 'iops-write-max-length'?: number;
  readonly 'bps-total'?: number;
  readonly 'bps-total-max'?: number;
  readonly 'bps-total-max-length'?: number;
  readonly 'bps-read'?: number;
  readonly 'bps-read-max'?: number;
  readonly 'bps-read-max-length'?: number;
  readonly 'bps-write'?: number;
  readonly 'bps-write-max'?: number;
  readonly 'bps-write-max-length'?: number;
  readonly 'iops-size'?: number;
}

export interface ObjectAddArgumentsTlsCipherSuites {
  readonly 'verify-peer'?: boolean;
  readonly dir?: string;
  readonly endpoint?: ObjectAddArgumentsTlsCredsAnonEndpoint;
  readonly priority?: string;
}

export interface ObjectAddArgumentsTlsCredsAnon {
  readonly 'verify-peer'?: boolean;
  readonly dir?: string;
  readonly endpoint?: ObjectAddArgumentsTlsCredsAnonEndpoint;
  readonly priority?: string;
  /** @deprecated QEMU may remove it */
  readonly loaded?: boolean;
}

export type ObjectAddArgumentsTlsCredsAnonEndpoint = 'client' | 'server';

export interface ObjectAddArgumentsTlsCredsPsk {
  readonly 'verify-peer'?: boolean;
  readonly dir?: string;
  readonly endpoint?: ObjectAddArgumentsTlsCredsAnonEndpoint;
  readonly priority?: string;
  /** @deprecated QEMU may remove it */
  readonly loaded?: boolean;
  readonly username?: string;
}

export interface ObjectAddArgumentsTlsCredsX509 {
  readonly 'verify-peer'?: boolean;
  readonly dir?: string;
  readonly endpoint?: ObjectAddArgumentsTlsCredsAnonEndpoint;
  readonly priority?: string;
  /** @deprecated QEMU may remove it */
  readonly loaded?: boolean;
  readonly 'sanity-check'?: boolean;
  readonly passwordid?: string;
}

export interface ObjectAddArgumentsXRemoteObject {
  readonly fd: string;
  readonly devid: string;
}

export interface ObjectAddArgumentsXVfioUserServer {
  readonly socket: NetdevStreamConnectedDataAddr;
  readonly device: string;
}

export interface ObjectDelArguments {
  readonly id: string;
}

export interface PmemsaveArguments {
  readonly val: number;
  readonly size: number;
  readonly filename: string;
}

export interface PrManagerStatusChangedData {
  readonly id: string;
  readonly connected: boolean;
}

export interface QmpCapabilitiesArguments {
  readonly enable?: readonly QmpCapabilitiesArgumentsEnable[];
}

export type QmpCapabilitiesArgumentsEnable = 'oob';

export interface QomGetArguments {
  readonly path: string;
  readonly property: string;
}

export interface QomListArguments {
  readonly path: string;
}

export interface QomListPropertiesArguments {
  readonly typename: string;
}

export interface QomListTypesArguments {
  readonly implements?: string;
  readonly abstract?: boolean;
}

export interface QomListTypesItem {
  readonly name: string;
  readonly abstract?: boolean;
  readonly parent?: string;
}

export interface QomSetArguments {
  readonly path: string;
  readonly property: string;
  readonly value: unknown;
}

export interface QueryAcpiOspmStatusItem {
  readonly device?: string;
  readonly slot: string;
  readonly 'slot-type': QueryAcpiOspmStatusItemSlotType;
  readonly source: number;
  readonly status: number;
}

export type QueryAcpiOspmStatusItemSlotType = 'DIMM' | 'CPU';

export interface QueryBalloonResult {
  readonly actual: number;
}

export interface QueryBlockExportsItem {
  readonly id: string;
  readonly type: BlockExportAddArgumentsType;
  readonly 'node-name': string;
  readonly 'shutting-down': boolean;
}

export interface QueryBlockItem {
  readonly device: string;
  readonly qdev?: string;
  readonly type: string;
  readonly removable: boolean;
  readonly locked: boolean;
  readonly inserted?: QueryNamedBlockNodesItem;
  readonly tray_open?: boolean;
  readonly 'io-status'?: QueryBlockItemIoStatus;
}

export type QueryBlockItemIoStatus = 'ok' | 'failed' | 'nospace';

export interface QueryBlockJobsItem {
  readonly type: string;
  readonly device: string;
  readonly len: number;
  readonly offset: number;
  readonly busy: boolean;
  readonly paused: boolean;
  readonly speed: number;
  readonly 'io-status': QueryBlockItemIoStatus;
  readonly ready: boolean;
  readonly status: JobStatusChangeDataStatus;
  readonly 'auto-finalize': boolean;
  readonly 'auto-dismiss': boolean;
  readonly error?: string;
}

export interface QueryBlockstatsArguments {
  readonly 'query-nodes'?: boolean;
}

export interface QueryBlockstatsItem {
  readonly device?: string;
  readonly qdev?: string;
  readonly 'node-name'?: string;
  readonly stats: QueryBlockstatsItemStats;
  readonly 'driver-specific'?: QueryBlockstatsItemDriverSpecific;
  readonly parent?: QueryBlockstatsItem;
  readonly backing?: QueryBlockstatsItem;
}

export type QueryBlockstatsItemDriverSpecific =
  | ({ readonly driver: 'file' } & QueryBlockstatsItemDriverSpecificFile)
  | ({ readonly driver: 'host_device' } & QueryBlockstatsItemDriverSpecificFile)
  | ({ readonly driver: 'nvme' } & QueryBlockstatsItemDriverSpecificNvme)
  | { readonly driver: 'blkdebug' | 'blklogwrites' | 'blkreplay' | 'blkverify' | 'bochs' | 'cloop' | 'compress' | 'copy-before-write' | 'copy-on-read' | 'dmg' | 'snapshot-access' | 'ftp' | 'ftps' | 'gluster' | 'host_cdrom' | 'http' | 'https' | 'iscsi' | 'luks' | 'nbd' | 'nfs' | 'null-aio' | 'null-co' | 'parallels' | 'preallocate' | 'qcow' | 'qcow2' | 'qed' | 'quorum' | 'raw' | 'rbd' | 'replication' | 'ssh' | 'throttle' | 'vdi' | 'vhdx' | 'vmdk' | 'vpc' | 'vvfat' };

export interface QueryBlockstatsItemDriverSpecificFile {
  readonly 'discard-nb-ok': number;
  readonly 'discard-nb-failed': number;
  readonly 'discard-bytes-ok': number;
}

export interface QueryBlockstatsItemDriverSpecificNvme {
  readonly 'completion-errors': number;
  readonly 'aligned-accesses': number;
  readonly 'unaligned-accesses': number;
}

export interface QueryBlockstatsItemStats {
  readonly rd_bytes: number;
  readonly wr_bytes: number;
  readonly unmap_bytes: number;
  readonly rd_operations: number;
  readonly wr_operations: number;
  readonly flush_operations: number;
  readonly unmap_operations: number;
  readonly rd_total_time_ns: number;
  readonly wr_total_time_ns: number;
  readonly flush_total_time_ns: number;
  readonly unmap_total_time_ns: number;
  readonly wr_highest_offset: number;
  readonly rd_merged: number;
  readonly wr_merged: number;
  readonly unmap_merged: number;
  readonly idle_time_ns?: number;
  readonly failed_rd_operations: number;
  readonly failed_wr_operations: number;
  readonly failed_flush_operations: number;
  readonly failed_unmap_operations: number;
  readonly invalid_rd_operations: number;
  readonly invalid_wr_operations: number;
  readonly invalid_flush_operations: number;
  readonly invalid_unmap_operations: number;
  readonly account_invalid: boolean;
  readonly account_failed: boolean;
  readonly timed_stats: readonly QueryBlockstatsItemStatsTimedStats[];
  readonly rd_latency_histogram?: QueryBlockstatsItemStatsRdLatencyHistogram;
  readonly wr_latency_histogram?: QueryBlockstatsItemStatsRdLatencyHistogram;
  readonly flush_latency_histogram?: QueryBlockstatsItemStatsRdLatencyHistogram;
}

export interface QueryBlockstatsItemStatsRdLatencyHistogram {
  readonly boundaries: readonly number[];
  readonly bins: readonly number[];
}

export interface QueryBlockstatsItemStatsTimedStats {
  readonly interval_length: number;
  readonly min_rd_latency_ns: number;
  readonly max_rd_latency_ns: number;
  readonly avg_rd_latency_ns: number;
  readonly min_wr_latency_ns: number;
  readonly max_wr_latency_ns: number;
  readonly avg_wr_latency_ns: number;
  readonly min_flush_latency_ns: number;
  readonly max_flush_latency_ns: number;
  readonly avg_flush_latency_ns: number;
  readonly avg_rd_queue_depth: number;
  readonly avg_wr_queue_depth: number;
}

export interface QueryChardevBackendsItem {
  readonly name: string;
}

export interface QueryChardevItem {
  readonly label: string;
  readonly filename: string;
  readonly 'frontend-open': boolean;
}

export interface QueryColoStatusResult {
  readonly mode: QueryColoStatusResultMode;
  readonly 'last-mode': QueryColoStatusResultMode;
  readonly reason: QueryColoStatusResultReason;
}

export type QueryColoStatusResultMode = 'none' | 'primary' | 'secondary';

export type QueryColoStatusResultReason = 'none' | 'request' | 'error' | 'processing';

export interface QueryCommandLineOptionsArguments {
  readonly option?: string;
}

export interface QueryCommandLineOptionsItem {
  readonly option: string;
  readonly parameters: readonly QueryCommandLineOptionsItemParameters[];
}

export interface QueryCommandLineOptionsItemParameters {
  readonly name: string;
  readonly type: QueryCommandLineOptionsItemParametersType;
  readonly help?: string;
  readonly default?: string;
}

export type QueryCommandLineOptionsItemParametersType = 'string' | 'boolean' | 'number' | 'size';

export interface QueryCommandsItem {
  readonly name: string;
}

export interface QueryCpuDefinitionsItem {
  readonly name: string;
  readonly 'migration-safe'?: boolean;
  readonly static: boolean;
  readonly 'unavailable-features'?: readonly string[];
  readonly typename: string;
  readonly 'alias-of'?: string;
  readonly deprecated: boolean;
}

export interface QueryCpuModelExpansionArguments {
  readonly type: QueryCpuModelExpansionArgumentsType;
  readonly model: QueryCpuModelExpansionArgumentsModel;
}

export interface QueryCpuModelExpansionArgumentsModel {
  readonly name: string;
  readonly props?: unknown;
}

export type QueryCpuModelExpansionArgumentsType = 'static' | 'full';

export interface QueryCpuModelExpansionResult {
  readonly model: QueryCpuModelExpansionArgumentsModel;
}

export interface QueryCpusFastItemCommon {
  readonly 'cpu-index': number;
  readonly 'qom-path': string;
  readonly 'thread-id': number;
  readonly props?: QueryCpusFastItemProps;
}
export type QueryCpusFastItem = QueryCpusFastItemCommon & (
  | ({ readonly target: 's390x' } & QueryCpusFastItemS390x)
  | { readonly target: 'aarch64' | 'alpha' | 'arm' | 'avr' | 'cris' | 'hppa' | 'i386' | 'loongarch64' | 'm68k' | 'microblaze' | 'microblazeel' | 'mips' | 'mips64' | 'mips64el' | 'mipsel' | 'nios2' | 'or1k' | 'ppc' | 'ppc64' | 'riscv32' | 'riscv64' | 'rx' | 'sh4' | 'sh4eb' | 'sparc' | 'sparc64' | 'tricore' | 'x86_64' | 'xtensa' | 'xtensaeb' }
);

export interface QueryCpusFastItemProps {
  readonly 'node-id'?: number;
  readonly 'socket-id'?: number;
  readonly 'die-id'?: number;
  readonly 'cluster-id'?: number;
  readonly 'core-id'?: number;
  readonly 'thread-id'?: number;
}

export interface QueryCpusFastItemS390x {
  readonly 'cpu-state': QueryCpusFastItemS390xCpuState;
}

export type QueryCpusFastItemS390xCpuState = 'uninitialized' | 'stopped' | 'check-stop' | 'operating' | 'load';

export interface QueryCurrentMachineResult {
  readonly 'wakeup-suspend-support': boolean;
}

export interface QueryDirtyRateResult {
  readonly 'dirty-rate'?: number;
  readonly status: QueryDirtyRateResultStatus;
  readonly 'start-time': number;
  readonly 'calc-time': number;
  readonly 'sample-pages': number;
  readonly mode: CalcDirtyRateArgumentsMode;
  readonly 'vcpu-dirty-rate'?: readonly QueryDirtyRateResultVcpuDirtyRate[];
}

export type QueryDirtyRateResultStatus = 'unstarted' | 'measuring' | 'measured';

export interface QueryDirtyRateResultVcpuDirtyRate {
  readonly id: number;
  readonly 'dirty-rate': number;
}

export interface QueryDisplayOptionsResultCommon {
  readonly 'full-screen'?: boolean;
  readonly 'window-close'?: boolean;
  readonly 'show-cursor'?: boolean;
  readonly gl?: QueryDisplayOptionsResultGl;
}
export type QueryDisplayOptionsResult = QueryDisplayOptionsResultCommon & (
  | ({ readonly type: 'gtk' } & QueryDisplayOptionsResultGtk)
  | ({ readonly type: 'sdl' } & QueryDisplayOptionsResultSdl)
  | ({ readonly type: 'egl-headless' } & QueryDisplayOptionsResultEglHeadless)
  | ({ readonly type: 'curses' } & QueryDisplayOptionsResultCurses)
  | ({ readonly type: 'dbus' } & QueryDisplayOptionsResultDbus)
  | { readonly type: 'default' | 'none' | 'spice-app' }
);

export interface QueryDisplayOptionsResultCurses {
  readonly charset?: string;
}

export interface QueryDisplayOptionsResultDbus {
  readonly rendernode?: string;
  readonly addr?: string;
  readonly p2p?: boolean;
  readonly audiodev?: string;
}

export interface QueryDisplayOptionsResultEglHeadless {
  readonly rendernode?: string;
}

export type QueryDisplayOptionsResultGl = 'off' | 'on' | 'core' | 'es';

export interface QueryDisplayOptionsResultGtk {
  readonly 'grab-on-hover'?: boolean;
  readonly 'zoom-to-fit'?: boolean;
  readonly 'show-tabs'?: boolean;
  readonly 'show-menubar'?: boolean;
}

export interface QueryDisplayOptionsResultSdl {
  readonly 'grab-mod'?: QueryDisplayOptionsResultSdlGrabMod;
}

export type QueryDisplayOptionsResultSdlGrabMod = 'lctrl-lalt' | 'lshift-lctrl-lalt' | 'rctrl';

export type QueryDisplayOptionsResultType =
  | 'default'
  | 'none'
  | 'gtk'
  | 'sdl'
  | 'egl-headless'
  | 'curses'
  | 'spice-app'
  | 'dbus';

export interface QueryDumpGuestMemoryCapabilityResult {
  readonly formats: readonly DumpGuestMemoryArgumentsFormat[];
}

export interface QueryDumpResult {
  readonly status: QueryDumpResultStatus;
  readonly completed: number;
  readonly total: number;
}

export type QueryDumpResultStatus = 'none' | 'active' | 'completed' | 'failed';

export interface QueryFdsetsItem {
  readonly 'fdset-id': number;
  readonly fds: readonly QueryFdsetsItemFds[];
}

export interface QueryFdsetsItemFds {
  readonly fd: number;
  readonly opaque?: string;
}

export interface QueryHotpluggableCpusItem {
  readonly type: string;
  readonly 'vcpus-count': number;
  readonly props: QueryCpusFastItemProps;
  readonly 'qom-path'?: string;
}

export interface QueryIothreadsItem {
  readonly id: string;
  readonly 'thread-id': number;
  readonly 'poll-max-ns': number;
  readonly 'poll-grow': number;
  readonly 'poll-shrink': number;
  readonly 'aio-max-batch': number;
}

export interface QueryJobsItem {
  readonly id: string;
  readonly type: BlockJobCancelledDataType;
  readonly status: JobStatusChangeDataStatus;
  readonly 'current-progress': number;
  readonly 'total-progress': number;
  readonly error?: string;
}

export interface QueryKvmResult {
  readonly enabled: boolean;
  readonly present: boolean;
}

export interface QueryMachinesItem {
  readonly name: string;
  readonly alias?: string;
  readonly 'is-default'?: boolean;
  readonly 'cpu-max': number;
  readonly 'hotpluggable-cpus': boolean;
  readonly 'numa-mem-supported': boolean;
  readonly deprecated: boolean;
  readonly 'default-cpu-type'?: string;
  readonly 'default-ram-id'?: string;
}

export interface QueryMemdevItem {
  readonly id?: string;
  readonly size: number;
  readonly merge: boolean;
  readonly dump: boolean;
  readonly prealloc: boolean;
  readonly share: boolean;
  readonly reserve?: boolean;
  readonly 'host-nodes': readonly number[];
  readonly policy: ObjectAddArgumentsMemoryBackendEpcPolicy;
}

export type QueryMemoryDevicesItem =
  | ({ readonly type: 'dimm' } & QueryMemoryDevicesItemDimm)
  | ({ readonly type: 'nvdimm' } & QueryMemoryDevicesItemDimm)
  | ({ readonly type: 'virtio-pmem' } & QueryMemoryDevicesItemVirtioPmem)
  | ({ readonly type: 'virtio-mem' } & QueryMemoryDevicesItemVirtioMem)
  | ({ readonly type: 'sgx-epc' } & QueryMemoryDevicesItemSgxEpc);

export interface QueryMemoryDevicesItemDimm {
  readonly data: QueryMemoryDevicesItemDimmData;
}

export interface QueryMemoryDevicesItemDimmData {
  readonly id?: string;
  readonly addr: number;
  readonly size: number;
  readonly slot: number;
  readonly node: number;
  readonly memdev: string;
  readonly hotplugged: boolean;
  readonly hotpluggable: boolean;
}

export interface QueryMemoryDevicesItemSgxEpc {
  readonly data: QueryMemoryDevicesItemSgxEpcData;
}

export interface QueryMemoryDevicesItemSgxEpcData {
  readonly id?: string;
  readonly memaddr: number;
  readonly size: number;
  readonly node: number;
  readonly memdev: string;
}

export type QueryMemoryDevicesItemType = 'dimm' | 'nvdimm' | 'virtio-pmem' | 'virtio-mem' | 'sgx-epc';

export interface QueryMemoryDevicesItemVirtioMem {
  readonly data: QueryMemoryDevicesItemVirtioMemData;
}

export interface QueryMemoryDevicesItemVirtioMemData {
  readonly id?: string;
  readonly memaddr: number;
  readonly 'requested-size': number;
  readonly size: number;
  readonly 'max-size': number;
  readonly 'block-size': number;
  readonly node: number;
  readonly memdev: string;
}

export interface QueryMemoryDevicesItemVirtioPmem {
  readonly data: QueryMemoryDevicesItemVirtioPmemData;
}

export interface QueryMemoryDevicesItemVirtioPmemData {
  readonly id?: string;
  readonly memaddr: number;
  readonly size: number;
  readonly memdev: string;
}

export interface QueryMemorySizeSummaryResult {
  readonly 'base-memory': number;
  readonly 'plugged-memory'?: number;
}

export interface QueryMiceItem {
  readonly name: string;
  readonly index: number;
  readonly current: boolean;
  readonly absolute: boolean;
}

export interface QueryMigrateCapabilitiesItem {
  readonly capability: QueryMigrateCapabilitiesItemCapability;
  readonly state: boolean;
}

export type QueryMigrateCapabilitiesItemCapability =
  | 'xbzrle'
  | 'rdma-pin-all'
  | 'auto-converge'
  | 'zero-blocks'
  | 'compress'
  | 'events'
  | 'postcopy-ram'
  | 'x-colo'
  | 'release-ram'
  | 'block'
  | 'return-path'
  | 'pause-before-switchover'
  | 'multifd'
  | 'dirty-bitmaps'
  | 'postcopy-blocktime'
  | 'late-block-activate'
  | 'x-ignore-shared'
  | 'validate-uuid'
  | 'background-snapshot'
  | 'zero-copy-send'
  | 'postcopy-preempt';

export interface QueryMigrateParametersResult {
  readonly 'announce-initial'?: number;
  readonly 'announce-max'?: number;
  readonly 'announce-rounds'?: number;
  readonly 'announce-step'?: number;
  readonly 'compress-level'?: number;
  readonly 'compress-threads'?: number;
  readonly 'compress-wait-thread'?: boolean;
  readonly 'decompress-threads'?: number;
  readonly 'throttle-trigger-threshold'?: number;
  readonly 'cpu-throttle-initial'?: number;
  readonly 'cpu-throttle-increment'?: number;
  readonly 'cpu-throttle-tailslow'?: boolean;
  readonly 'tls-creds'?: string;
  readonly 'tls-hostname'?: string;
  readonly 'tls-authz'?: string;
  readonly 'max-bandwidth'?: number;
  readonly 'downtime-limit'?: number;
  /** @experimental QEMU may change it */
  readonly 'x-checkpoint-delay'?: number;
  readonly 'block-incremental'?: boolean;
  readonly 'multifd-channels'?: number;
  readonly 'xbzrle-cache-size'?: number;
  readonly 'max-postcopy-bandwidth'?: number;
  readonly 'max-cpu-throttle'?: number;
  readonly 'multifd-compression'?: MigrateSetParametersArgumentsMultifdCompression;
  readonly 'multifd-zlib-level'?: number;
  readonly 'multifd-zstd-level'?: number;
  readonly 'block-bitmap-mapping'?: readonly MigrateSetParametersArgumentsBlockBitmapMapping[];
}

export interface QueryMigrateResult {
  readonly status?: MigrateContinueArgumentsState;
  readonly ram?: QueryMigrateResultRam;
  readonly disk?: QueryMigrateResultRam;
  readonly vfio?: QueryMigrateResultVfio;
  readonly 'xbzrle-cache'?: QueryMigrateResultXbzrleCache;
  readonly 'total-time'?: number;
  readonly 'expected-downtime'?: number;
  readonly downtime?: number;
  readonly 'setup-time'?: number;
  readonly 'cpu-throttle-percentage'?: number;
  readonly 'error-desc'?: string;
  readonly 'blocked-reasons'?: readonly string[];
  readonly 'postcopy-blocktime'?: number;
  readonly 'postcopy-vcpu-blocktime'?: readonly number[];
  readonly compression?: QueryMigrateResultCompression;
  readonly 'socket-address'?: readonly NetdevStreamConnectedDataAddr[];
}

export interface QueryMigrateResultCompression {
  readonly pages: number;
  readonly busy: number;
  readonly 'busy-rate': number;
  readonly 'compressed-size': number;
  readonly 'compression-rate': number;
}

export interface QueryMigrateResultRam {
  readonly transferred: number;
  readonly remaining: number;
  readonly total: number;
  readonly duplicate: number;
  readonly skipped: number;
  readonly normal: number;
  readonly 'normal-bytes': number;
  readonly 'dirty-pages-rate': number;
  readonly mbps: number;
  readonly 'dirty-sync-count': number;
  readonly 'postcopy-requests': number;
  readonly 'page-size': number;
  readonly 'multifd-bytes': number;
  readonly 'pages-per-second': number;
  readonly 'precopy-bytes': number;
  readonly 'downtime-bytes': number;
  readonly 'postcopy-bytes': number;
  readonly 'dirty-sync-missed-zero-copy': number;
}

export interface QueryMigrateResultVfio {
  readonly transferred: number;
}

export interface QueryMigrateResultXbzrleCache {
  readonly 'cache-size': number;
  readonly bytes: number;
  readonly pages: number;
  readonly 'cache-miss': number;
  readonly 'cache-miss-rate': number;
  readonly 'encoding-rate': number;
  readonly overflow: number;
}

export interface QueryNameResult {
  readonly name?: string;
}

export interface QueryNamedBlockNodesArguments {
  readonly flat?: boolean;
}

export interface QueryNamedBlockNodesItem {
  readonly file: string;
  readonly 'node-name'?: string;
  readonly ro: boolean;
  readonly drv: string;
  readonly backing_file?: string;
  readonly backing_file_depth: number;
  readonly encrypted: boolean;
  readonly detect_zeroes: BlockdevAddArgumentsDetectZeroes;
  readonly bps: number;
  readonly bps_rd: number;
  readonly bps_wr: number;
  readonly iops: number;
  readonly iops_rd: number;
  readonly iops_wr: number;
  readonly image: QueryNamedBlockNodesItemImage;
  readonly bps_max?: number;
  readonly bps_rd_max?: number;
  readonly bps_wr_max?: number;
  readonly iops_max?: number;
  readonly iops_rd_max?: number;
  readonly iops_wr_max?: number;
  readonly bps_max_length?: number;
  readonly bps_rd_max_length?: number;
  readonly bps_wr_max_length?: number;
  readonly iops_max_length?: number;
  readonly iops_rd_max_length?: number;
  readonly iops_wr_max_length?: number;
  readonly iops_size?: number;
  readonly group?: string;
  readonly cache: QueryNamedBlockNodesItemCache;
  readonly write_threshold: number;
  readonly 'dirty-bitmaps'?: readonly QueryNamedBlockNodesItemDirtyBitmaps[];
}

export interface QueryNamedBlockNodesItemCache {
  readonly writeback: boolean;
  readonly direct: boolean;
  readonly 'no-flush': boolean;
}

export interface QueryNamedBlockNodesItemDirtyBitmaps {
  readonly name?: string;
  readonly count: number;
  readonly granularity: number;
  readonly recording: boolean;
  readonly busy: boolean;
  readonly persistent: boolean;
  readonly inconsistent?: boolean;
}

export interface QueryNamedBlockNodesItemImage {
  readonly filename: string;
  readonly format: string;
  readonly 'dirty-flag'?: boolean;
  readonly 'actual-size'?: number;
  readonly 'virtual-size': number;
  readonly 'cluster-size'?: number;
  readonly encrypted?: boolean;
  readonly compressed?: boolean;
  readonly 'backing-filename'?: string;
  readonly 'full-backing-filename'?: string;
  readonly 'backing-filename-format'?: string;
  readonly snapshots?: readonly BlockdevSnapshotDeleteInternalSyncResult[];
  readonly 'backing-image'?: QueryNamedBlockNodesItemImage;
  readonly 'format-specific'?: QueryNamedBlockNodesItemImageFormatSpecific;
}

export type QueryNamedBlockNodesItemImageFormatSpecific =
  | ({ readonly type: 'qcow2' } & QueryNamedBlockNodesItemImageFormatSpecificQcow2)
  | ({ readonly type: 'vmdk' } & QueryNamedBlockNodesItemImageFormatSpecificVmdk)
  | ({ readonly type: 'luks' } & QueryNamedBlockNodesItemImageFormatSpecificLuks)
  | ({ readonly type: 'rbd' } & QueryNamedBlockNodesItemImageFormatSpecificRbd);

export interface QueryNamedBlockNodesItemImageFormatSpecificLuks {
  readonly data: QueryNamedBlockNodesItemImageFormatSpecificLuksData;
}

export interface QueryNamedBlockNodesItemImageFormatSpecificLuksData {
  readonly 'cipher-alg': BlockdevCreateArgumentsOptionsLuksCipherAlg;
  readonly 'cipher-mode': BlockdevCreateArgumentsOptionsLuksCipherMode;
  readonly 'ivgen-alg': BlockdevCreateArgumentsOptionsLuksIvgenAlg;
  readonly 'ivgen-hash-alg'?: BlockdevCreateArgumentsOptionsLuksIvgenHashAlg;
  readonly 'hash-alg': BlockdevCreateArgumentsOptionsLuksIvgenHashAlg;
  readonly 'payload-offset': number;
  readonly 'master-key-iters': number;
  readonly uuid: string;
  readonly slots: readonly QueryNamedBlockNodesItemImageFormatSpecificLuksDataSlots[];
}

export interface QueryNamedBlockNodesItemImageFormatSpecificLuksDataSlots {
  readonly active: boolean;
  readonly iters?: number;
  readonly stripes?: number;
  readonly 'key-offset': number;
}

export interface QueryNamedBlockNodesItemImageFormatSpecificQcow2 {
  readonly data: QueryNamedBlockNodesItemImageFormatSpecificQcow2Data;
}

export interface QueryNamedBlockNodesItemImageFormatSpecificQcow2Data {
  readonly compat: string;
  readonly 'data-file'?: string;
  readonly 'data-file-raw'?: boolean;
  readonly 'extended-l2'?: boolean;
  readonly 'lazy-refcounts'?: boolean;
  readonly corrupt?: boolean;
  readonly 'refcount-bits': number;
  readonly encrypt?: QueryNamedBlockNodesItemImageFormatSpecificQcow2DataEncrypt;
  readonly bitmaps?: readonly QueryNamedBlockNodesItemImageFormatSpecificQcow2DataBitmaps[];
  readonly 'compression-type': BlockdevCreateArgumentsOptionsQcow2CompressionType;
}

export interface QueryNamedBlockNodesItemImageFormatSpecificQcow2DataBitmaps {
  readonly name: string;
  readonly granularity: number;
  readonly flags: readonly QueryNamedBlockNodesItemImageFormatSpecificQcow2DataBitmapsFlags[];
}

export type QueryNamedBlockNodesItemImageFormatSpecificQcow2DataBitmapsFlags = 'in-use' | 'auto';

export type QueryNamedBlockNodesItemImageFormatSpecificQcow2DataEncrypt =
  | ({ readonly format: 'luks' } & QueryNamedBlockNodesItemImageFormatSpecificLuksData)
  | { readonly format: 'aes' };

export interface QueryNamedBlockNodesItemImageFormatSpecificRbd {
  readonly data: QueryNamedBlockNodesItemImageFormatSpecificRbdData;
}

export interface QueryNamedBlockNodesItemImageFormatSpecificRbdData {
  readonly 'encryption-format'?: BlockdevAddArgumentsRbdEncryptFormat;
}

export type QueryNamedBlockNodesItemImageFormatSpecificType = 'qcow2' | 'vmdk' | 'luks' | 'rbd';

export interface QueryNamedBlockNodesItemImageFormatSpecificVmdk {
  readonly data: QueryNamedBlockNodesItemImageFormatSpecificVmdkData;
}

export interface QueryNamedBlockNodesItemImageFormatSpecificVmdkData {
  readonly 'create-type': string;
  readonly cid: number;
  readonly 'parent-cid': number;
  readonly extents: readonly QueryNamedBlockNodesItemImage[];
}

export interface QueryPciItem {
  readonly bus: number;
  readonly devices: readonly QueryPciItemDevices[];
}

export interface QueryPciItemDevices {
  readonly bus: number;
  readonly slot: number;
  readonly function: number;
  readonly class_info: QueryPciItemDevicesClassInfo;
  readonly id: QueryPciItemDevicesId;
  readonly irq?: number;
  readonly irq_pin: number;
  readonly qdev_id: string;
  readonly pci_bridge?: QueryPciItemDevicesPciBridge;
  readonly regions: readonly QueryPciItemDevicesRegions[];
}

export interface QueryPciItemDevicesClassInfo {
  readonly desc?: string;
  readonly class: number;
}

export interface QueryPciItemDevicesId {
  readonly device: number;
  readonly vendor: number;
  readonly subsystem?: number;
  readonly 'subsystem-vendor'?: number;
}

export interface QueryPciItemDevicesPciBridge {
  readonly bus: QueryPciItemDevicesPciBridgeBus;
  readonly devices?: readonly QueryPciItemDevices[];
}

export interface QueryPciItemDevicesPciBridgeBus {
  readonly number: number;
  readonly secondary: number;
  readonly subordinate: number;
  readonly io_range: QueryPciItemDevicesPciBridgeBusIoRange;
  readonly memory_range: QueryPciItemDevicesPciBridgeBusIoRange;
  readonly prefetchable_range: QueryPciItemDevicesPciBridgeBusIoRange;
}

export interface QueryPciItemDevicesPciBridgeBusIoRange {
  readonly base: number;
  readonly limit: number;
}

export interface QueryPciItemDevicesRegions {
  readonly bar: number;
  readonly type: string;
  readonly address: number;
  readonly size: number;
  readonly prefetch?: boolean;
  readonly mem_type_64?: boolean;
}

export interface QueryPrManagersItem {
  readonly id: string;
  readonly connected: boolean;
}

export interface QueryQmpSchemaItemCommon {
  readonly name: string;
  readonly features?: readonly string[];
}
export type QueryQmpSchemaItem = QueryQmpSchemaItemCommon & (
  | ({ readonly 'meta-type': 'builtin' } & QueryQmpSchemaItemBuiltin)
  | ({ readonly 'meta-type': 'enum' } & QueryQmpSchemaItemEnum)
  | ({ readonly 'meta-type': 'array' } & QueryQmpSchemaItemArray)
  | ({ readonly 'meta-type': 'object' } & QueryQmpSchemaItemObject)
  | ({ readonly 'meta-type': 'alternate' } & QueryQmpSchemaItemAlternate)
  | ({ readonly 'meta-type': 'command' } & QueryQmpSchemaItemCommand)
  | ({ readonly 'meta-type': 'event' } & QueryQmpSchemaItemEvent)
);

export interface QueryQmpSchemaItemAlternate {
  readonly members: readonly QueryQmpSchemaItemAlternateMembers[];
}

export interface QueryQmpSchemaItemAlternateMembers {
  readonly type: string;
}

export interface QueryQmpSchemaItemArray {
  readonly 'element-type': string;
}

export interface QueryQmpSchemaItemBuiltin {
  readonly 'json-type': QueryQmpSchemaItemBuiltinJsonType;
}

export type QueryQmpSchemaItemBuiltinJsonType =
  | 'string'
  | 'number'
  | 'int'
  | 'boolean'
  | 'null'
  | 'object'
  | 'array'
  | 'value';

export interface QueryQmpSchemaItemCommand {
  readonly 'arg-type': string;
  readonly 'ret-type': string;
  readonly 'allow-oob'?: boolean;
}

export interface QueryQmpSchemaItemEnum {
  readonly members: readonly QueryQmpSchemaItemEnumMembers[];
  /** @deprecated QEMU may remove it */
  readonly values: readonly string[];
}

export interface QueryQmpSchemaItemEnumMembers {
  readonly name: string;
  readonly features?: readonly string[];
}

export interface QueryQmpSchemaItemEvent {
  readonly 'arg-type': string;
}

export type QueryQmpSchemaItemMetaType = 'builtin' | 'enum' | 'array' | 'object' | 'alternate' | 'command' | 'event';

export interface QueryQmpSchemaItemObject {
  readonly members: readonly QueryQmpSchemaItemObjectMembers[];
  readonly tag?: string;
  readonly variants?: readonly QueryQmpSchemaItemObjectVariants[];
}

export interface QueryQmpSchemaItemObjectMembers {
  readonly name: string;
  readonly type: string;
  readonly default?: unknown;
  readonly features?: readonly string[];
}

export interface QueryQmpSchemaItemObjectVariants {
  readonly case: string;
  readonly type: string;
}

export interface QueryReplayResult {
  readonly mode: QueryReplayResultMode;
  readonly filename?: string;
  readonly icount: number;
}

export type QueryReplayResultMode = 'none' | 'record' | 'play';

export interface QueryRockerArguments {
  readonly name: string;
}

export interface QueryRockerOfDpaFlowsArguments {
  readonly name: string;
  readonly 'tbl-id'?: number;
}

export interface QueryRockerOfDpaFlowsItem {
  readonly cookie: number;
  readonly hits: number;
  readonly key: QueryRockerOfDpaFlowsItemKey;
  readonly mask: QueryRockerOfDpaFlowsItemMask;
  readonly action: QueryRockerOfDpaFlowsItemAction;
}

export interface QueryRockerOfDpaFlowsItemAction {
  readonly 'goto-tbl'?: number;
  readonly 'group-id'?: number;
  readonly 'tunnel-lport'?: number;
  readonly 'vlan-id'?: number;
  readonly 'new-vlan-id'?: number;
  readonly 'out-pport'?: number;
}

export interface QueryRockerOfDpaFlowsItemKey {
  readonly priority: number;
  readonly 'tbl-id': number;
  readonly 'in-pport'?: number;
  readonly 'tunnel-id'?: number;
  readonly 'vlan-id'?: number;
  readonly 'eth-type'?: number;
  readonly 'eth-src'?: string;
  readonly 'eth-dst'?: string;
  readonly 'ip-proto'?: number;
  readonly 'ip-tos'?: number;
  readonly 'ip-dst'?: string;
}

export interface QueryRockerOfDpaFlowsItemMask {
  readonly 'in-pport'?: number;
  readonly 'tunnel-id'?: number;
  readonly 'vlan-id'?: number;
  readonly 'eth-src'?: string;
  readonly 'eth-dst'?: string;
  readonly 'ip-proto'?: number;
  readonly 'ip-tos'?: number;
}

export interface QueryRockerOfDpaGroupsArguments {
  readonly name: string;
  readonly type?: number;
}

export interface QueryRockerOfDpaGroupsItem {
  readonly id: number;
  readonly type: number;
  readonly 'vlan-id'?: number;
  readonly pport?: number;
  readonly index?: number;
  readonly 'out-pport'?: number;
  readonly 'group-id'?: number;
  readonly 'set-vlan-id'?: number;
  readonly 'pop-vlan'?: number;
  readonly 'group-ids'?: readonly number[];
  readonly 'set-eth-src'?: string;
  readonly 'set-eth-dst'?: string;
  readonly 'ttl-check'?: number;
}

export interface QueryRockerPortsArguments {
  readonly name: string;
}

export interface QueryRockerPortsItem {
  readonly name: string;
  readonly enabled: boolean;
  readonly 'link-up': boolean;
  readonly speed: number;
  readonly duplex: QueryRockerPortsItemDuplex;
  readonly autoneg: QueryRockerPortsItemAutoneg;
}

export type QueryRockerPortsItemAutoneg = 'off' | 'on';

export type QueryRockerPortsItemDuplex = 'half' | 'full';

export interface QueryRockerResult {
  readonly name: string;
  readonly id: number;
  readonly ports: number;
}

export interface QueryRxFilterArguments {
  readonly name?: string;
}

export interface QueryRxFilterItem {
  readonly name: string;
  readonly promiscuous: boolean;
  readonly multicast: QueryRxFilterItemMulticast;
  readonly unicast: QueryRxFilterItemMulticast;
  readonly vlan: QueryRxFilterItemMulticast;
  readonly 'broadcast-allowed': boolean;
  readonly 'multicast-overflow': boolean;
  readonly 'unicast-overflow': boolean;
  readonly 'main-mac': string;
  readonly 'vlan-table': readonly number[];
  readonly 'unicast-table': readonly string[];
  readonly 'multicast-table': readonly string[];
}

export type QueryRxFilterItemMulticast = 'normal' | 'none' | 'all';

export interface QuerySevAttestationReportArguments {
  readonly mnonce: string;
}

export interface QuerySevAttestationReportResult {
  readonly data: string;
}

export interface QuerySevCapabilitiesResult {
  readonly pdh: string;
  readonly 'cert-chain': string;
  readonly 'cpu0-id': string;
  readonly cbitpos: number;
  readonly 'reduced-phys-bits': number;
}

export interface QuerySevLaunchMeasureResult {
  readonly data: string;
}

export interface QuerySevResult {
  readonly enabled: boolean;
  readonly 'api-major': number;
  readonly 'api-minor': number;
  readonly 'build-id': number;
  readonly policy: number;
  readonly state: QuerySevResultState;
  readonly handle: number;
}

export type QuerySevResultState =
  | 'uninit'
  | 'launch-update'
  | 'launch-secret'
  | 'running'
  | 'send-update'
  | 'receive-update';

export interface QuerySgxResult {
  readonly sgx: boolean;
  readonly sgx1: boolean;
  readonly sgx2: boolean;
  readonly flc: boolean;
  /** @deprecated QEMU may remove it */
  readonly 'section-size': number;
  readonly sections: readonly QuerySgxResultSections[];
}

export interface QuerySgxResultSections {
  readonly node: number;
  readonly size: number;
}

export interface QuerySpiceResult {
  readonly enabled: boolean;
  readonly migrated: boolean;
  readonly host?: string;
  readonly port?: number;
  readonly 'tls-port'?: number;
  readonly auth?: string;
  readonly 'compiled-version'?: string;
  readonly 'mouse-mode': QuerySpiceResultMouseMode;
  readonly channels?: readonly SpiceInitializedDataClient[];
}

export type QuerySpiceResultMouseMode = 'client' | 'server' | 'unknown';

export interface QueryStatsArgumentsCommon {
  readonly providers?: readonly QueryStatsArgumentsProviders[];
}
export type QueryStatsArguments = QueryStatsArgumentsCommon & (
  | ({ readonly target: 'vcpu' } & QueryStatsArgumentsVcpu)
  | { readonly target: 'vm' }
);

export interface QueryStatsArgumentsProviders {
  readonly provider: QueryStatsSchemasArgumentsProvider;
  readonly names?: readonly string[];
}

export type QueryStatsArgumentsTarget = 'vm' | 'vcpu';

export interface QueryStatsArgumentsVcpu {
  readonly vcpus?: readonly string[];
}

export interface QueryStatsItem {
  readonly provider: QueryStatsSchemasArgumentsProvider;
  readonly 'qom-path'?: string;
  readonly stats: readonly QueryStatsItemStats[];
}

export interface QueryStatsItemStats {
  readonly name: string;
  readonly value: QueryStatsItemStatsValue;
}

export type QueryStatsItemStatsValue = number | boolean | readonly number[];

export interface QueryStatsSchemasArguments {
  readonly provider?: QueryStatsSchemasArgumentsProvider;
}

export type QueryStatsSchemasArgumentsProvider = 'kvm';

export interface QueryStatsSchemasItem {
  readonly provider: QueryStatsSchemasArgumentsProvider;
  readonly target: QueryStatsArgumentsTarget;
  readonly stats: readonly QueryStatsSchemasItemStats[];
}

export interface QueryStatsSchemasItemStats {
  readonly name: string;
  readonly type: QueryStatsSchemasItemStatsType;
  readonly unit?: QueryStatsSchemasItemStatsUnit;
  readonly base?: number;
  readonly exponent: number;
  readonly 'bucket-size'?: number;
}

export type QueryStatsSchemasItemStatsType = 'cumulative' | 'instant' | 'peak' | 'linear-histogram' | 'log2-histogram';

export type QueryStatsSchemasItemStatsUnit = 'bytes' | 'seconds' | 'cycles' | 'boolean';

export interface QueryStatusResult {
  readonly running: boolean;
  readonly singlestep: boolean;
  readonly status: QueryStatusResultStatus;
}

export type QueryStatusResultStatus =
  | 'debug'
  | 'inmigrate'
  | 'internal-error'
  | 'io-error'
  | 'paused'
  | 'postmigrate'
  | 'prelaunch'
  | 'finish-migrate'
  | 'restore-vm'
  | 'running'
  | 'save-vm'
  | 'shutdown'
  | 'suspended'
  | 'watchdog'
  | 'guest-panicked'
  | 'colo';

export interface QueryTargetResult {
  readonly arch: QueryTargetResultArch;
}

export type QueryTargetResultArch =
  | 'aarch64'
  | 'alpha'
  | 'arm'
  | 'avr'
  | 'cris'
  | 'hppa'
  | 'i386'
  | 'loongarch64'
  | 'm68k'
  | 'microblaze'
  | 'microblazeel'
  | 'mips'
  | 'mips64'
  | 'mips64el'
  | 'mipsel'
  | 'nios2'
  | 'or1k'
  | 'ppc'
  | 'ppc64'
  | 'riscv32'
  | 'riscv64'
  | 'rx'
  | 's390x'
  | 'sh4'
  | 'sh4eb'
  | 'sparc'
  | 'sparc64'
  | 'tricore'
  | 'x86_64'
  | 'xtensa'
  | 'xtensaeb';

export interface QueryTpmItem {
  readonly id: string;
  readonly model: QueryTpmModelsItem;
  readonly options: QueryTpmItemOptions;
}

export type QueryTpmItemOptions =
  | ({ readonly type: 'passthrough' } & QueryTpmItemOptionsPassthrough)
  | ({ readonly type: 'emulator' } & QueryTpmItemOptionsEmulator);

export interface QueryTpmItemOptionsEmulator {
  readonly data: QueryTpmItemOptionsEmulatorData;
}

export interface QueryTpmItemOptionsEmulatorData {
  readonly chardev: string;
}

export interface QueryTpmItemOptionsPassthrough {
  readonly data: QueryTpmItemOptionsPassthroughData;
}

export interface QueryTpmItemOptionsPassthroughData {
  readonly path?: string;
  readonly 'cancel-path'?: string;
}

export type QueryTpmModelsItem = 'tpm-tis' | 'tpm-crb' | 'tpm-spapr';

export type QueryTpmTypesItem = 'passthrough' | 'emulator';

export interface QueryUuidResult {
  readonly UUID: string;
}

export interface QueryVcpuDirtyLimitItem {
  readonly 'cpu-index': number;
  readonly 'limit-rate': number;
  readonly 'current-rate': number;
}

export interface QueryVersionResult {
  readonly qemu: QueryVersionResultQemu;
  readonly package: string;
}

export interface QueryVersionResultQemu {
  readonly major: number;
  readonly minor: number;
  readonly micro: number;
}

export interface QueryVmGenerationIdResult {
  readonly guid: string;
}

export interface QueryVncResult {
  readonly enabled: boolean;
  readonly host?: string;
  readonly family?: QueryVncResultFamily;
  readonly service?: string;
  readonly auth?: string;
  readonly clients?: readonly VncDisconnectedDataClient[];
}

export type QueryVncResultFamily = 'ipv4' | 'ipv6' | 'unix' | 'vsock' | 'unknown';

export interface QueryVncServersItem {
  readonly id: string;
  readonly server: readonly QueryVncServersItemServer[];
  readonly clients: readonly VncDisconnectedDataClient[];
  readonly auth: QueryVncServersItemAuth;
  readonly vencrypt?: QueryVncServersItemVencrypt;
  readonly display?: string;
}

export type QueryVncServersItemAuth =
  | 'none'
  | 'vnc'
  | 'ra2'
  | 'ra2ne'
  | 'tight'
  | 'ultra'
  | 'tls'
  | 'vencrypt'
  | 'sasl';

export interface QueryVncServersItemServer {
  readonly host: string;
  readonly service: string;
  readonly family: QueryVncResultFamily;
  readonly websocket: boolean;
  readonly auth: QueryVncServersItemAuth;
  readonly vencrypt?: QueryVncServersItemVencrypt;
}

export type QueryVncServersItemVencrypt =
  | 'plain'
  | 'tls-none'
  | 'x509-none'
  | 'tls-vnc'
  | 'x509-vnc'
  | 'tls-plain'
  | 'x509-plain'
  | 'tls-sasl'
  | 'x509-sasl';

export interface QueryXenReplicationStatusResult {
  readonly error: boolean;
  readonly desc?: string;
}

export type QueryYankItem =
  | ({ readonly type: 'block-node' } & QueryYankItemBlockNode)
  | ({ readonly type: 'chardev' } & QueryYankItemChardev)
  | { readonly type: 'migration' };

export interface QueryYankItemBlockNode {
  readonly 'node-name': string;
}

export interface QueryYankItemChardev {
  readonly id: string;
}

export type QueryYankItemType = 'block-node' | 'chardev' | 'migration';

export interface QuorumFailureData {
  readonly reference: string;
  readonly 'sector-num': number;
  readonly 'sectors-count': number;
}

export interface QuorumReportBadData {
  readonly type: QuorumReportBadDataType;
  readonly error?: string;
  readonly 'node-name': string;
  readonly 'sector-num': number;
  readonly 'sectors-count': number;
}

export type QuorumReportBadDataType = 'read' | 'write' | 'flush';

export interface RdmaGidStatusChangedData {
  readonly netdev: string;
  readonly 'gid-status': boolean;
  readonly 'subnet-prefix': number;
  readonly 'interface-id': number;
}

export interface RemoveFdArguments {
  readonly 'fdset-id': number;
  readonly fd?: number;
}

export interface ReplayBreakArguments {
  readonly icount: number;
}

export interface ReplaySeekArguments {
  readonly icount: number;
}

export interface ResetData {
  readonly guest: boolean;
  readonly reason: ResetDataReason;
}

export type ResetDataReason =
  | 'none'
  | 'host-error'
  | 'host-qmp-quit'
  | 'host-qmp-system-reset'
  | 'host-signal'
  | 'host-ui'
  | 'guest-shutdown'
  | 'guest-reset'
  | 'guest-panic'
  | 'subsystem-reset'
  | 'snapshot-load';

export interface RingbufReadArguments {
  readonly device: string;
  readonly size: number;
  readonly format?: RingbufReadArgumentsFormat;
}

export type RingbufReadArgumentsFormat = 'utf8' | 'base64';

export interface RingbufWriteArguments {
  readonly device: string;
  readonly data: string;
  readonly format?: RingbufReadArgumentsFormat;
}

export interface RtcChangeData {
  readonly offset: number;
  readonly 'qom-path': string;
}

export interface ScreendumpArguments {
  readonly filename: string;
  readonly device?: string;
  readonly head?: number;
  readonly format?: ScreendumpArgumentsFormat;
}

export type ScreendumpArgumentsFormat = 'ppm' | 'png';

export interface SendKeyArguments {
  readonly keys: readonly SendKeyArgumentsKeys[];
  readonly 'hold-time'?: number;
}

export type SendKeyArgumentsKeys =
  | ({ readonly type: 'number' } & SendKeyArgumentsKeysNumber)
  | ({ readonly type: 'qcode' } & SendKeyArgumentsKeysQcode);

export interface SendKeyArgumentsKeysNumber {
  readonly data: number;
}

export interface SendKeyArgumentsKeysQcode {
  readonly data: SendKeyArgumentsKeysQcodeData;
}

export type SendKeyArgumentsKeysQcodeData =
  | 'unmapped'
  | 'shift'
  | 'shift_r'
  | 'alt'
  | 'alt_r'
  | 'ctrl'
  | 'ctrl_r'
  | 'menu'
  | 'esc'
  | '1'
  | '2'
  | '3'
  | '4'
  | '5'
  | '6'
  | '7'
  | '8'
  | '9'
  | '0'
  | 'minus'
  | 'equal'
  | 'backspace'
  | 'tab'
  | 'q'
  | 'w'
  | 'e'
  | 'r'
  | 't'
  | 'y'
  | 'u'
  | 'i'
  | 'o'
  | 'p'
  | 'bracket_left'
  | 'bracket_right'
  | 'ret'
  | 'a'
  | 's'
  | 'd'
  | 'f'
  | 'g'
  | 'h'
  | 'j'
  | 'k'
  | 'l'
  | 'semicolon'
  | 'apostrophe'
  | 'grave_accent'
  | 'backslash'
  | 'z'
  | 'x'
  | 'c'
  | 'v'
  | 'b'
  | 'n'
  | 'm'
  | 'comma'
  | 'dot'
  | 'slash'
  | 'asterisk'
  | 'spc'
  | 'caps_lock'
  | 'f1'
  | 'f2'
  | 'f3'
  | 'f4'
  | 'f5'
  | 'f6'
  | 'f7'
  | 'f8'
  | 'f9'
  | 'f10'
  | 'num_lock'
  | 'scroll_lock'
  | 'kp_divide'
  | 'kp_multiply'
  | 'kp_subtract'
  | 'kp_add'
  | 'kp_enter'
  | 'kp_decimal'
  | 'sysrq'
  | 'kp_0'
  | 'kp_1'
  | 'kp_2'
  | 'kp_3'
  | 'kp_4'
  | 'kp_5'
  | 'kp_6'
  | 'kp_7'
  | 'kp_8'
  | 'kp_9'
  | 'less'
  | 'f11'
  | 'f12'
  | 'print'
  | 'home'
  | 'pgup'
  | 'pgdn'
  | 'end'
  | 'left'
  | 'up'
  | 'down'
  | 'right'
  | 'insert'
  | 'delete'
  | 'stop'
  | 'again'
  | 'props'
  | 'undo'
  | 'front'
  | 'copy'
  | 'open'
  | 'paste'
  | 'find'
  | 'cut'
  | 'lf'
  | 'help'
  | 'meta_l'
  | 'meta_r'
  | 'compose'
  | 'pause'
  | 'ro'
  | 'hiragana'
  | 'henkan'
  | 'yen'
  | 'muhenkan'
  | 'katakanahiragana'
  | 'kp_comma'
  | 'kp_equals'
  | 'power'
  | 'sleep'
  | 'wake'
  | 'audionext'
  | 'audioprev'
  | 'audiostop'
  | 'audioplay'
  | 'audiomute'
  | 'volumeup'
  | 'volumedown'
  | 'mediaselect'
  | 'mail'
  | 'calculator'
  | 'computer'
  | 'ac_home'
  | 'ac_back'
  | 'ac_forward'
  | 'ac_refresh'
  | 'ac_bookmarks'
  | 'lang1'
  | 'lang2';

export type SendKeyArgumentsKeysType = 'number' | 'qcode';

export interface SetActionArguments {
  readonly reboot?: SetActionArgumentsReboot;
  readonly shutdown?: SetActionArgumentsShutdown;
  readonly panic?: SetActionArgumentsPanic;
  readonly watchdog?: SetActionArgumentsWatchdog;
}

export type SetActionArgumentsPanic = 'pause' | 'shutdown' | 'exit-failure' | 'none';

export type SetActionArgumentsReboot = 'reset' | 'shutdown';

export type SetActionArgumentsShutdown = 'poweroff' | 'pause';

export type SetActionArgumentsWatchdog = 'reset' | 'shutdown' | 'poweroff' | 'pause' | 'debug' | 'none' | 'inject-nmi';

export interface SetLinkArguments {
  readonly name: string;
  readonly up: boolean;
}

export type SetNumaNodeArguments =
  | ({ readonly type: 'node' } & SetNumaNodeArgumentsNode)
  | ({ readonly type: 'dist' } & SetNumaNodeArgumentsDist)
  | ({ readonly type: 'cpu' } & SetNumaNodeArgumentsCpu)
  | ({ readonly type: 'hmat-lb' } & SetNumaNodeArgumentsHmatLb)
  | ({ readonly type: 'hmat-cache' } & SetNumaNodeArgumentsHmatCache);

export interface SetNumaNodeArgumentsCpu {
  readonly 'node-id'?: number;
  readonly 'socket-id'?: number;
  readonly 'die-id'?: number;
  readonly 'cluster-id'?: number;
  readonly 'core-id'?: number;
  readonly 'thread-id'?: number;
}

export interface SetNumaNodeArgumentsDist {
  readonly src: number;
  readonly dst: number;
  readonly val: number;
}

export interface SetNumaNodeArgumentsHmatCache {
  readonly 'node-id': number;
  readonly size: number;
  readonly level: number;
  readonly associativity: SetNumaNodeArgumentsHmatCacheAssociativity;
  readonly policy: SetNumaNodeArgumentsHmatCachePolicy;
  readonly line: number;
}

export type SetNumaNodeArgumentsHmatCacheAssociativity = 'none' | 'direct' | 'complex';

export type SetNumaNodeArgumentsHmatCachePolicy = 'none' | 'write-back' | 'write-through';

export interface SetNumaNodeArgumentsHmatLb {
  readonly initiator: number;
  readonly target: number;
  readonly hierarchy: SetNumaNodeArgumentsHmatLbHierarchy;
  readonly 'data-type': SetNumaNodeArgumentsHmatLbDataType;
  readonly latency?: number;
  readonly bandwidth?: number;
}

export type SetNumaNodeArgumentsHmatLbDataType =
  | 'access-latency'
  | 'read-latency'
  | 'write-latency'
  | 'access-bandwidth'
  | 'read-bandwidth'
  | 'write-bandwidth';

export type SetNumaNodeArgumentsHmatLbHierarchy = 'memory' | 'first-level' | 'second-level' | 'third-level';

export interface SetNumaNodeArgumentsNode {
  readonly nodeid?: number;
  readonly cpus?: readonly number[];
  readonly mem?: number;
  readonly memdev?: string;
  readonly initiator?: number;
}

export type SetNumaNodeArgumentsType = 'node' | 'dist' | 'cpu' | 'hmat-lb' | 'hmat-cache';

export interface SetPasswordArgumentsCommon {
  readonly password: string;
  readonly connected?: SetPasswordArgumentsConnected;
}
export type SetPasswordArguments = SetPasswordArgumentsCommon & (
  | ({ readonly protocol: 'vnc' } & SetPasswordArgumentsVnc)
  | { readonly protocol: 'spice' }
);

export type SetPasswordArgumentsConnected = 'keep' | 'fail' | 'disconnect';

export interface SetPasswordArgumentsVnc {
  readonly display?: string;
}

export interface SetVcpuDirtyLimitArguments {
  readonly 'cpu-index'?: number;
  readonly 'dirty-rate': number;
}

export interface SevInjectLaunchSecretArguments {
  readonly 'packet-header': string;
  readonly secret: string;
  readonly gpa?: number;
}

export interface ShutdownData {
  readonly guest: boolean;
  readonly reason: ResetDataReason;
}

export interface SnapshotDeleteArguments {
  readonly 'job-id': string;
  readonly tag: string;
  readonly devices: readonly string[];
}

export interface SnapshotLoadArguments {
  readonly 'job-id': string;
  readonly tag: string;
  readonly vmstate: string;
  readonly devices: readonly string[];
}

export interface SnapshotSaveArguments {
  readonly 'job-id': string;
  readonly tag: string;
  readonly vmstate: string;
  readonly devices: readonly string[];
}

export interface SpiceConnectedData {
  readonly server: SpiceConnectedDataServer;
  readonly client: SpiceConnectedDataServer;
}

export interface SpiceConnectedDataServer {
  readonly host: string;
  readonly port: string;
  readonly family: QueryVncResultFamily;
}

export interface SpiceDisconnectedData {
  readonly server: SpiceConnectedDataServer;
  readonly client: SpiceConnectedDataServer;
}

export interface SpiceInitializedData {
  readonly server: SpiceInitializedDataServer;
  readonly client: SpiceInitializedDataClient;
}

export interface SpiceInitializedDataClient {
  readonly host: string;
  readonly port: string;
  readonly family: QueryVncResultFamily;
  readonly 'connection-id': number;
  readonly 'channel-type': number;
  readonly 'channel-id': number;
  readonly tls: boolean;
}

export interface SpiceInitializedDataServer {
  readonly host: string;
  readonly port: string;
  readonly family: QueryVncResultFamily;
  readonly auth?: string;
}

export interface TraceEventGetStateArguments {
  readonly name: string;
  readonly vcpu?: number;
}

export interface TraceEventGetStateItem {
  readonly name: string;
  readonly state: TraceEventGetStateItemState;
  readonly vcpu: boolean;
}

export type TraceEventGetStateItemState = 'unavailable' | 'disabled' | 'enabled';

export interface TraceEventSetStateArguments {
  readonly name: string;
  readonly enable: boolean;
  readonly 'ignore-unavailable'?: boolean;
  readonly vcpu?: number;
}

export interface TransactionArguments {
  readonly actions: readonly TransactionArgumentsActions[];
  readonly properties?: TransactionArgumentsProperties;
}

export type TransactionArgumentsActions =
  | ({ readonly type: 'abort' } & TransactionArgumentsActionsAbort)
  | ({ readonly type: 'block-dirty-bitmap-add' } & TransactionArgumentsActionsBlockDirtyBitmapAdd)
  | ({ readonly type: 'block-dirty-bitmap-remove' } & TransactionArgumentsActionsBlockDirtyBitmapRemove)
  | ({ readonly type: 'block-dirty-bitmap-clear' } & TransactionArgumentsActionsBlockDirtyBitmapRemove)
  | ({ readonly type: 'block-dirty-bitmap-enable' } & TransactionArgumentsActionsBlockDirtyBitmapRemove)
  | ({ readonly type: 'block-dirty-bitmap-disable' } & TransactionArgumentsActionsBlockDirtyBitmapRemove)
  | ({ readonly type: 'block-dirty-bitmap-merge' } & TransactionArgumentsActionsBlockDirtyBitmapMerge)
  | ({ readonly type: 'blockdev-backup' } & TransactionArgumentsActionsBlockdevBackup)
  | ({ readonly type: 'blockdev-snapshot' } & TransactionArgumentsActionsBlockdevSnapshot)
  | ({ readonly type: 'blockdev-snapshot-internal-sync' } & TransactionArgumentsActionsBlockdevSnapshotInternalSync)
  | ({ readonly type: 'blockdev-snapshot-sync' } & TransactionArgumentsActionsBlockdevSnapshotSync)
  | ({ readonly type: 'drive-backup' } & TransactionArgumentsActionsDriveBackup);

export interface TransactionArgumentsActionsAbort {
  readonly data: Empty;
}

export interface TransactionArgumentsActionsBlockDirtyBitmapAdd {
  readonly data: BlockDirtyBitmapAddArguments;
}

export interface TransactionArgumentsActionsBlockDirtyBitmapMerge {
  readonly data: BlockDirtyBitmapMergeArguments;
}

export interface TransactionArgumentsActionsBlockDirtyBitmapRemove {
  readonly data: BlockDirtyBitmapClearArguments;
}

export interface TransactionArgumentsActionsBlockdevBackup {
  readonly data: BlockdevBackupArguments;
}

export interface TransactionArgumentsActionsBlockdevSnapshot {
  readonly data: BlockdevSnapshotArguments;
}

export interface TransactionArgumentsActionsBlockdevSnapshotInternalSync {
  readonly data: BlockdevSnapshotInternalSyncArguments;
}

export interface TransactionArgumentsActionsBlockdevSnapshotSync {
  readonly data: BlockdevSnapshotSyncArguments;
}

export interface TransactionArgumentsActionsDriveBackup {
  readonly data: DriveBackupArguments;
}

export type TransactionArgumentsActionsType =
  | 'abort'
  | 'block-dirty-bitmap-add'
  | 'block-dirty-bitmap-remove'
  | 'block-dirty-bitmap-clear'
  | 'block-dirty-bitmap-enable'
  | 'block-dirty-bitmap-disable'
  | 'block-dirty-bitmap-merge'
  | 'blockdev-backup'
  | 'blockdev-snapshot'
  | 'blockdev-snapshot-internal-sync'
  | 'blockdev-snapshot-sync'
  | 'drive-backup';

export interface TransactionArgumentsProperties {
  readonly 'completion-mode'?: TransactionArgumentsPropertiesCompletionMode;
}

export type TransactionArgumentsPropertiesCompletionMode = 'individual' | 'grouped';

export interface UnplugPrimaryData {
  readonly 'device-id': string;
}

export interface VfuClientHangupData {
  readonly 'vfu-id': string;
  readonly 'vfu-qom-path': string;
  readonly 'dev-id': string;
  readonly 'dev-qom-path': string;
}

export interface VncConnectedData {
  readonly server: VncConnectedDataServer;
  readonly client: VncConnectedDataClient;
}

export interface VncConnectedDataClient {
  readonly host: string;
  readonly service: string;
  readonly family: QueryVncResultFamily;
  readonly websocket: boolean;
}

export interface VncConnectedDataServer {
  readonly host: string;
  readonly service: string;
  readonly family: QueryVncResultFamily;
  readonly websocket: boolean;
  readonly auth?: string;
}

export interface VncDisconnectedData {
  readonly server: VncConnectedDataServer;
  readonly client: VncDisconnectedDataClient;
}

export interface VncDisconnectedDataClient {
  readonly host: string;
  readonly service: string;
  readonly family: QueryVncResultFamily;
  readonly websocket: boolean;
  readonly x509_dname?: string;
  readonly sasl_username?: string;
}

export interface VncInitializedData {
  readonly server: VncConnectedDataServer;
  readonly client: VncDisconnectedDataClient;
}

export interface VserportChangeData {
  readonly id: string;
  readonly open: boolean;
}

export interface WatchdogData {
  readonly action: SetActionArgumentsWatchdog;
}

export interface WatchdogSetActionArguments {
  readonly action: SetActionArgumentsWatchdog;
}

export interface XBlockdevAmendArguments {
  readonly 'job-id': string;
  readonly 'node-name': string;
  readonly options: XBlockdevAmendArgumentsOptions;
  readonly force?: boolean;
}

export type XBlockdevAmendArgumentsOptions =
  | ({ readonly driver: 'luks' } & XBlockdevAmendArgumentsOptionsLuks)
  | ({ readonly driver: 'qcow2' } & XBlockdevAmendArgumentsOptionsQcow2)
  | { readonly driver: 'blkdebug' | 'blklogwrites' | 'blkreplay' | 'blkverify' | 'bochs' | 'cloop' | 'compress' | 'copy-before-write' | 'copy-on-read' | 'dmg' | 'file' | 'snapshot-access' | 'ftp' | 'ftps' | 'gluster' | 'host_cdrom' | 'host_device' | 'http' | 'https' | 'iscsi' | 'nbd' | 'nfs' | 'null-aio' | 'null-co' | 'nvme' | 'parallels' | 'preallocate' | 'qcow' | 'qed' | 'quorum' | 'raw' | 'rbd' | 'replication' | 'ssh' | 'throttle' | 'vdi' | 'vhdx' | 'vmdk' | 'vpc' | 'vvfat' };

export interface XBlockdevAmendArgumentsOptionsLuks {
  readonly state: XBlockdevAmendArgumentsOptionsLuksState;
  readonly 'new-secret'?: string;
  readonly 'old-secret'?: string;
  readonly keyslot?: number;
  readonly 'iter-time'?: number;
  readonly secret?: string;
}

export type XBlockdevAmendArgumentsOptionsLuksState = 'active' | 'inactive';

export interface XBlockdevAmendArgumentsOptionsQcow2 {
  readonly encrypt?: XBlockdevAmendArgumentsOptionsQcow2Encrypt;
}

export type XBlockdevAmendArgumentsOptionsQcow2Encrypt =
  | ({ readonly format: 'luks' } & XBlockdevAmendArgumentsOptionsQcow2EncryptLuks)
  | { readonly format: 'qcow' };

export interface XBlockdevAmendArgumentsOptionsQcow2EncryptLuks {
  readonly state: XBlockdevAmendArgumentsOptionsLuksState;
  readonly 'new-secret'?: string;
  readonly 'old-secret'?: string;
  readonly keyslot?: number;
  readonly 'iter-time'?: number;
  readonly secret?: string;
}

export interface XBlockdevChangeArguments {
  readonly parent: string;
  readonly child?: string;
  readonly node?: string;
}

export interface XBlockdevSetIothreadArguments {
  readonly 'node-name': string;
  readonly iothread: MigrateSetParametersArgumentsTlsCreds;
  readonly force?: boolean;
}

export interface XDebugBlockDirtyBitmapSha256Result {
  readonly sha256: string;
}

export interface XDebugQueryBlockGraphResult {
  readonly nodes: readonly XDebugQueryBlockGraphResultNodes[];
  readonly edges: readonly XDebugQueryBlockGraphResultEdges[];
}

export interface XDebugQueryBlockGraphResultEdges {
  readonly parent: number;
  readonly child: number;
  readonly name: string;
  readonly perm: readonly BlockdevAddArgumentsBlkdebugTakeChildPerms[];
  readonly 'shared-perm': readonly BlockdevAddArgumentsBlkdebugTakeChildPerms[];
}

export interface XDebugQueryBlockGraphResultNodes {
  readonly id: number;
  readonly type: XDebugQueryBlockGraphResultNodesType;
  readonly name: string;
}

export type XDebugQueryBlockGraphResultNodesType = 'block-backend' | 'block-job' | 'block-driver';

export interface XQueryIrqResult {
  readonly 'human-readable-text': string;
}

export interface XQueryVirtioItem {
  readonly path: string;
  readonly name: string;
}

export interface XQueryVirtioQueueElementArguments {
  readonly path: string;
  readonly queue: number;
  readonly index?: number;
}

export interface XQueryVirtioQueueElementResult {
  readonly name: string;
  readonly index: number;
  readonly descs: readonly XQueryVirtioQueueElementResultDescs[];
  readonly avail: XQueryVirtioQueueElementResultAvail;
  readonly used: XQueryVirtioQueueElementResultUsed;
}

export interface XQueryVirtioQueueElementResultAvail {
  readonly flags: number;
  readonly idx: number;
  readonly ring: number;
}

export interface XQueryVirtioQueueElementResultDescs {
  readonly addr: number;
  readonly len: number;
  readonly flags: readonly string[];
}

export interface XQueryVirtioQueueElementResultUsed {
  readonly flags: number;
  readonly idx: number;
}

export interface XQueryVirtioQueueStatusArguments {
  readonly path: string;
  readonly queue: number;
}

export interface XQueryVirtioQueueStatusResult {
  readonly name: string;
  readonly 'queue-index': number;
  readonly inuse: number;
  readonly 'vring-num': number;
  readonly 'vring-num-default': number;
  readonly 'vring-align': number;
  readonly 'vring-desc': number;
  readonly 'vring-avail': number;
  readonly 'vring-used': number;
  readonly 'last-avail-idx'?: number;
  readonly 'shadow-avail-idx'?: number;
  readonly 'used-idx': number;
  readonly 'signalled-used': number;
  readonly 'signalled-used-valid': boolean;
}

export interface XQueryVirtioStatusArguments {
  readonly path: string;
}

export interface XQueryVirtioStatusResult {
  readonly name: string;
  readonly 'device-id': number;
  readonly 'vhost-started': boolean;
  readonly 'device-endian': string;
  readonly 'guest-features': XQueryVirtioStatusResultGuestFeatures;
  readonly 'host-features': XQueryVirtioStatusResultGuestFeatures;
  readonly 'backend-features': XQueryVirtioStatusResultGuestFeatures;
  readonly 'num-vqs': number;
  readonly status: XQueryVirtioStatusResultStatus;
  readonly isr: number;
  readonly 'queue-sel': number;
  readonly 'vm-running': boolean;
  readonly broken: boolean;
  readonly disabled: boolean;
  readonly 'use-started': boolean;
  readonly started: boolean;
  readonly 'start-on-kick': boolean;
  readonly 'disable-legacy-check': boolean;
  readonly 'bus-name': string;
  readonly 'use-guest-notifier-mask': boolean;
  readonly 'vhost-dev'?: XQueryVirtioStatusResultVhostDev;
}

export interface XQueryVirtioStatusResultGuestFeatures {
  readonly transports: readonly string[];
  readonly 'dev-features'?: readonly string[];
  readonly 'unknown-dev-features'?: number;
}

export interface XQueryVirtioStatusResultStatus {
  readonly statuses: readonly string[];
  readonly 'unknown-statuses'?: number;
}

export interface XQueryVirtioStatusResultVhostDev {
  readonly 'n-mem-sections': number;
  readonly 'n-tmp-sections': number;
  readonly nvqs: number;
  readonly 'vq-index': number;
  readonly features: XQueryVirtioStatusResultGuestFeatures;
  readonly 'acked-features': XQueryVirtioStatusResultGuestFeatures;
  readonly 'backend-features': XQueryVirtioStatusResultGuestFeatures;
  readonly 'protocol-features': XQueryVirtioStatusResultVhostDevProtocolFeatures;
  readonly 'max-queues': number;
  readonly 'backend-cap': number;
  readonly 'log-enabled': boolean;
  readonly 'log-size': number;
}

export interface XQueryVirtioStatusResultVhostDevProtocolFeatures {
  readonly protocols: readonly string[];
  readonly 'unknown-protocols'?: number;
}

export interface XQueryVirtioVhostQueueStatusArguments {
  readonly path: string;
  readonly queue: number;
}

export interface XQueryVirtioVhostQueueStatusResult {
  readonly name: string;
  readonly kick: number;
  readonly call: number;
  readonly desc: number;
  readonly avail: number;
  readonly used: number;
  readonly num: number;
  readonly 'desc-phys': number;
  readonly 'desc-size': number;
  readonly 'avail-phys': number;
  readonly 'avail-size': number;
  readonly 'used-phys': number;
  readonly 'used-size': number;
}

export interface XenLoadDevicesStateArguments {
  readonly filename: string;
}

export interface XenSaveDevicesStateArguments {
  readonly filename: string;
  readonly live?: boolean;
}

export interface XenSetGlobalDirtyLogArguments {
  readonly enable: boolean;
}

export interface XenSetReplicationArguments {
  readonly enable: boolean;
  readonly primary: boolean;
  readonly failover?: boolean;
}

export interface YankArguments {
  readonly instances: readonly QueryYankItem[];
}
