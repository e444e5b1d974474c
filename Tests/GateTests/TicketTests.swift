import IPC
import Testing

@testable import Gate
@testable import Mux

/// Tickets: for one judged request, once, and as long as the request waits.
@Suite struct TicketTests {
    private static func requests() -> MasterRequests {
        let hosts = ["a", "b"].map { name in
            var host = PolicySnapshot.Host(name: name, socket: "/\(name)", user: "u", host: "h")
            host.capabilities.exec = name == "a"
            host.capabilities.fileRead = true
            return host
        }
        return MasterRequests(PolicySnapshot(hosts: hosts, defaultHost: "a", transport: .ssh), number: 1)
    }

    private static func command(_ words: String, on host: String = "a") -> GateCommand {
        GateCommand(host: host, command: words, seconds: 9, nonce: "abcd1234")
    }

    /// The ticket in the answer to a request; nil where it is another answer.
    private static func ticket(_ opened: (id: MasterRequests.ID?, actions: [MasterRequests.Action])?) -> String? {
        guard case .answer(_, .ticket(let ticket))? = opened?.actions.first, opened?.actions.count == 1 else {
            return nil
        }
        return ticket
    }

    @Test func `a ticket stands for its request: nothing is asked of a master before it is shown`() throws {
        var requests = Self.requests()
        let opened = requests.run(Self.command("id"), 40, by: .ssh, now: 0)
        let ticket = try #require(Self.ticket(opened))
        #expect(Nonce.isOne(ticket) && ticket.utf8.count > 20)
        #expect(requests.nextDeadline == TicketRequest.patience)
        #expect(requests.show(ticket, isSubsystem: false, now: 5) == .session(1, requestID: 40))
        #expect(requests.startQueued() == [.open(1, GateReport(Self.command("id")), host: 0, policy: 1)])
        #expect(requests.nextDeadline == 5 + MasterDown.patience)
        guard case .ask(.session(let session), nil) = requests.connected(1).use else {
            Issue.record("no session")
            return
        }
        #expect(session.command.contains("id") && !session.command.contains(ticket))
        let seen = requests.seen(1, .sessionOpened, now: 0)
        #expect(seen.contains(.answer(requestID: 40, .opened)))
    }

    @Test func `what is refused gets no ticket`() {
        var requests = Self.requests()
        #expect(Self.ticket(requests.run(Self.command("rm -rf /"), 1, by: .ssh, now: 0)) == nil)
        #expect(Self.ticket(requests.run(Self.command("id", on: "b"), 2, by: .ssh, now: 0)) == nil)
        #expect(Self.ticket(requests.run(Self.command("id", on: "c"), 3, by: .ssh, now: 0)) == nil)
        #expect(Self.ticket(requests.openFiles("a", FileAccess(writes: true, base: nil), 4, by: .ssh, now: 0)) == nil)
        #expect(requests.nextDeadline == nil)
    }

    @Test func `a ticket is good once, and one that was not given never`() throws {
        var requests = Self.requests()
        let ticket = try #require(Self.ticket(requests.run(Self.command("id"), 1, by: .ssh, now: 0)))
        for guess in ["", "x", String(ticket.dropLast()), ticket + "0", ticket.uppercased(), " \(ticket)"] {
            #expect(requests.show(guess, isSubsystem: false, now: 0) == .violation, "\(guess)")
        }
        #expect(requests.show(ticket, isSubsystem: false, now: 0) == .session(1, requestID: 1))
        #expect(requests.show(ticket, isSubsystem: false, now: 0) == .violation)
    }

    @Test func `a ticket for a command is none for a subsystem, nor the other way round`() throws {
        var requests = Self.requests()
        let command = try #require(Self.ticket(requests.run(Self.command("id"), 1, by: .ssh, now: 0)))
        #expect(requests.show(command, isSubsystem: true, now: 0) == .violation)
        let files = try #require(
            Self.ticket(requests.openFiles("a", FileAccess(writes: false, base: nil), 2, by: .ssh, now: 0)))
        #expect(requests.show(files, isSubsystem: false, now: 0) == .violation)
    }

    @Test func `a ticket leads to the master of its host, whoever shows it`() throws {
        var requests = Self.requests()
        let access = FileAccess(writes: false, base: nil)
        let first = try #require(Self.ticket(requests.openFiles("a", access, 1, by: .ssh, now: 0)))
        let second = try #require(Self.ticket(requests.openFiles("b", access, 2, by: .ssh, now: 0)))
        #expect(first != second)
        #expect(requests.show(second, isSubsystem: true, now: 0) == .session(2, requestID: 2))
        #expect(
            requests.startQueued() == [
                .open(2, GateReport(host: "b", call: 0, .files(writes: false)), host: 1, policy: 1)
            ])
        #expect(requests.show(first, isSubsystem: true, now: 0) == .session(1, requestID: 1))
        #expect(
            requests.startQueued() == [
                .open(1, GateReport(host: "a", call: 0, .files(writes: false)), host: 0, policy: 1)
            ])
    }

    @Test func `a ticket ends with its request: by time, or closed; whoever is late with it gets nothing`() throws {
        var requests = Self.requests()
        let late = try #require(Self.ticket(requests.run(Self.command("id"), 1, by: .ssh, now: 0)))
        let closed = try #require(Self.ticket(requests.run(Self.command("id"), 2, by: .ssh, now: 1)))
        let notOpened = GateAnswer.notOpened(.closed(wasAsked: false))
        #expect(requests.close(2) == [.close(2), .answer(requestID: 2, notOpened)])
        #expect(requests.advance(now: TicketRequest.patience - 1).isEmpty)
        let actions = requests.advance(now: TicketRequest.patience)
        guard case .answer(requestID: 1, .notOpened(.ssh))? = actions.first, actions.contains(.close(1)) else {
            Issue.record("\(actions)")
            return
        }
        for ticket in [late, closed, late] { #expect(requests.show(ticket, isSubsystem: false, now: 99_999) == .ended) }
        #expect(requests.startQueued().isEmpty && requests.nextDeadline == nil)
    }

    @Test func `what a new policy forbids is not opened for an old ticket`() throws {
        var requests = Self.requests()
        let ticket = try #require(Self.ticket(requests.run(Self.command("id"), 1, by: .ssh, now: 0)))
        var host = PolicySnapshot.Host(name: "a", socket: "/a", user: "u", host: "h")
        host.capabilities.fileRead = true
        requests.adopt(PolicySnapshot(hosts: [host], defaultHost: "a"), number: 2, now: 0)
        #expect(requests.show(ticket, isSubsystem: false, now: 0) == .session(1, requestID: 1))
        #expect(requests.startQueued() == [.open(1, GateReport(Self.command("id")), host: 0, policy: 1)])
        // The supervisor is at the new policy, and connects for no other.
        let actions = requests.noting(requests.notConnected(1, .otherPolicy))
        let isOpened = actions.contains { if case .connect = $0 { true } else { false } }
        #expect(!isOpened && actions.contains(.close(1)))
    }

    @Test func `tickets that have ended are remembered within bounds`() {
        var tickets = Tickets()
        var given: [String] = []
        for number in 0..<UInt32(Tickets.maximumEnded + 100) {
            given.append(tickets.issue(for: number))
            tickets.end(number)
        }
        #expect(Set(given).count == given.count)
        for ticket in given.prefix(100) { #expect(tickets.show(ticket) == .none) }
        for ticket in given.dropFirst(100) { #expect(tickets.show(ticket) == .ended) }
    }
}
