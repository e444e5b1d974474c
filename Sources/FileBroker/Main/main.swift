internal import CLinux
internal import FileBroker
internal import Glibc
internal import IPC
internal import Sandbox

// The process gives up its rights in this order. It reads no request before the last step.

/// The inherited descriptors, see Supervisor/Files/FileBrokerProcess.swift.
let supervisorDescriptor: Int32 = 3
let workerDescriptor: Int32 = 4

func fail(_ what: String, status: Int32 = 1) -> Never {
    var line = "claude-ssh-files: \(what)\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    _exit(status)
}

// 1. The end of the supervisor ends this process: by its channel, and ten seconds later whatever it waits for.
signal(SIGPIPE, SIG_IGN)
guard csd_end_process_on(SIGUSR1, 10) == 0, csd_set_parent_death_signal(SIGUSR1) == 0 else {
    fail("cannot follow the supervisor's life: errno \(errno)")
}

switch Array(CommandLine.arguments.dropFirst()) {
case [SelfTest.option]: SelfTest.run()
case let arguments where arguments.count == 2 && arguments[0] == SelfTest.option:
    SelfTest.attempt(from: arguments[1])
default: break
}

// 2. Which files, from the supervisor.
var service = FileService(
    supervisor: Channel(taking: OwnedFD(taking: supervisorDescriptor)),
    worker: Channel(taking: OwnedFD(taking: workerDescriptor)))
let policy: FilePolicy
do throws(IPCError) {
    policy = try service.awaitSetup()
} catch {
    fail("no Setup from the supervisor (\(error)); this program is started by claude-ssh-daemon")
}

// 3. Resources, privileges, files, system calls.
let confined: (files: LocalFiles, landlockABI: Int)
do throws(SandboxError) {
    confined = try FileConfinement.enter(policy) { place in try? service.tell(.looking(place: place)) }
} catch {
    fail("\(error)", status: 3)
}

// 4. Confined: say so, and begin.
do throws(IPCError) {
    try service.tell(.ready(landlockABI: UInt8(clamping: confined.landlockABI)))
    try service.run(confined.files)
} catch {
    fail("the conversation with the supervisor ended: \(error)")
}
_exit(0)
