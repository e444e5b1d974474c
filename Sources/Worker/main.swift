internal import CLinux
internal import Glibc
internal import IPC
internal import MCP
internal import Sandbox
internal import Tools

// The process gives up its rights in this order. It reads nothing of the client before the last step.

/// The inherited descriptors, see Supervisor/Daemon/WorkerProcess.swift.
let clientDescriptor: Int32 = 3
let channelDescriptor: Int32 = 4
/// Of a worker that serves with `"transport": "ssh"`: takes the listener of its filter.
let listenerDescriptor: Int32 = 5

func fail(_ what: String, status: Int32 = 1) -> Never {
    var line = "claude-ssh-worker: \(what)\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    _exit(status)
}

/// Gives away the listener of this worker's filter, which answers its connect(2) calls and those of `ssh`. A worker that does not
/// serve has nobody to give it to, and connects nothing.
func handOver(_ listener: consuming OwnedFD?) {
    switch role {
    case .serve: break
    case .refuse, .check: return
    }
    do throws(IPCError) {
        try Channel(taking: OwnedFD(taking: listenerDescriptor)).send(ListenerMessage.listener, descriptor: listener)
    } catch {
        fail("the supervisor does not take the listener of the filter (\(error))")
    }
}

// 1. The end of the supervisor is the end of this process group: this worker and, where it executes ssh, every ssh.
signal(SIGPIPE, SIG_IGN)
guard setpgid(0, 0) == 0 || getpgrp() == getpid(), csd_end_process_group_on(SIGUSR1) == 0,
    csd_set_parent_death_signal(SIGUSR1) == 0
else { fail("cannot follow the supervisor's life: errno \(errno)") }

if CommandLine.arguments.dropFirst().first == SelfTest.option {
    SelfTest.act(on: Array(CommandLine.arguments.dropFirst(2)))
}

// 2. What to do and under which policy, from the supervisor. This read also ends a worker whose supervisor died before 1.
let supervisor = SupervisorLink(channel: Channel(taking: OwnedFD(taking: channelDescriptor)))
let role: WorkerRole
let policy: PolicySnapshot
do throws(IPCError) {
    (role, policy) = try supervisor.awaitSetup()
} catch {
    fail("no Setup from the supervisor (\(error)); this program is started by claude-ssh-daemon")
}

// 3. Resources, privileges, files, system calls.
let landlockABI: Int
do throws(SandboxError) {
    switch policy.transport {
    case .mux:
        landlockABI = try Confinement.enter(requireLandlock: policy.requireLandlock)
    case .ssh:
        let confined = try SSHConfinement.enter(sshPath: policy.sshPath, requireLandlock: policy.requireLandlock)
        landlockABI = confined.landlockABI
        handOver(OwnedFD(taking: confined.listener))
    }
} catch .noListener(let code) {
    fail("\(SandboxError.noListener(errno: code))", status: 5)
} catch {
    fail("\(error)", status: 3)
}

// 4. Where tasks run, before there is one.
TaskThreads.takeOver()

// 5. Confined: say so, and begin.
supervisor.send(.life(.ready(landlockABI: UInt8(clamping: landlockABI))))
await Service.run(role, policy: policy, client: clientDescriptor, supervisor: supervisor)
