internal import Dispatch
internal import Glibc
internal import IPC
internal import MCP
internal import Tools

/// The worker's life after the confinement: one client, until one of three ends it (the client, the supervisor, a drain).
enum Service {
    static let version = "3.0.0-dev"

    static func run(_ role: WorkerRole, policy: PolicySnapshot, client: Int32, supervisor: SupervisorLink) async
        -> Never
    {
        switch role {
        case .serve: await serve(policy, client, supervisor)
        case .refuse(let reason): await refuse(reason, policy, client)
        }
    }

    private static func serve(_ policy: PolicySnapshot, _ client: Int32, _ supervisor: SupervisorLink) async -> Never {
        let toolbox = Toolbox(policy: policy, broker: supervisor, audit: supervisor)
        let connection = Connection(descriptor: client)
        let server = Server(name: "claude-ssh-daemon", version: version, tools: toolbox, writer: connection)
        supervisor.follow { message in
            switch message {
            case .policy(let new): if toolbox.update(new) { server.toolsChanged() }
            case .drain(let milliseconds):
                Task {
                    // The bound on stopping remote commands; the supervisor kills what is left a little later.
                    DispatchQueue(label: "drain").asyncAfter(deadline: .now() + .milliseconds(Int(milliseconds))) {
                        exit(0)
                    }
                    await server.close()
                    await connection.flush()
                    exit(0)
                }
            }
        }
        let end = await connection.readLines(limit: policy.limits.maxRequestBytes) { server.receive($0) }
        switch end {
        case .closed: supervisor.send(.clientGone)
        case .lineTooLong(let limit):
            supervisor.send(.clientDropped(reason: "a line is longer than limits.max_request_bytes (\(limit))"))
        case .failed(let errno): supervisor.send(.clientDropped(reason: "reading failed: errno \(errno)"))
        }
        // What was answered already still goes out, to a client that only closed its sending half; then the conversation
        // ends for the client, while remote commands are still being stopped.
        let closing = Task { await server.close() }
        let impatience = DispatchQueue(label: "flush")
        impatience.asyncAfter(deadline: .now() + .seconds(1)) { shutdown(client, Int32(SHUT_RDWR)) }
        await connection.flush()
        shutdown(client, Int32(SHUT_RDWR))
        await closing.value
        exit(0)
    }

    private static func refuse(_ reason: String, _ policy: PolicySnapshot, _ client: Int32) async -> Never {
        let connection = Connection(descriptor: client)
        _ = await connection.readLines(limit: policy.limits.maxRequestBytes) { line in
            guard let answer = Refusal.answer(to: line, reason: reason) else { return }
            Task {
                await connection.writeLater { answer }
                exit(0)
            }
        }
        exit(0)
    }
}
