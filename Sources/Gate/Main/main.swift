internal import CLinux
internal import Gate
internal import Glibc
internal import IPC
internal import Sandbox

// What is given up, in order. No request is read before the last step.

/// The inherited descriptors, see Supervisor/Gates/GateProcess.swift.
let supervisorDescriptor: Int32 = 3
let workerDescriptor: Int32 = 4

func fail(_ what: String, status: Int32 = 1) -> Never {
    var line = "claude-ssh-gate: \(what)\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    _exit(status)
}

// 1. The end of the supervisor ends this process.
signal(SIGPIPE, SIG_IGN)
guard csd_set_parent_death_signal(SIGKILL) == 0 else { fail("cannot follow the supervisor's life: errno \(errno)") }

switch Array(CommandLine.arguments.dropFirst()) {
case [SelfTest.option]: SelfTest.run()
case let arguments where arguments.count == 2 && arguments[0] == SelfTest.option: SelfTest.attempt(arguments[1])
default: break
}

// 2. Which hosts, from the supervisor. This read also ends a gate whose supervisor died before 1.
let service: GateService
let policy: PolicySnapshot
do throws(IPCError) {
    service = try GateService(
        supervisor: Channel(taking: OwnedFD(taking: supervisorDescriptor)),
        worker: Channel(taking: OwnedFD(taking: workerDescriptor)))
    policy = try service.awaitSetup()
} catch {
    fail("no Setup from the supervisor (\(error)); this program is started by claude-ssh-daemon")
}

// 3. Resources, privileges, files, system calls.
let landlockABI: Int
do throws(SandboxError) {
    landlockABI = try GateConfinement.enter(requireLandlock: policy.requireLandlock)
} catch {
    fail("\(error)", status: 3)
}

// 4. Confined: say so, and begin.
do throws(IPCError) {
    try service.run(landlockABI: landlockABI)
} catch {
    fail("a conversation broke the protocol: \(error)")
}
_exit(0)
