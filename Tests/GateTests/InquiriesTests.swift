import IPC
import TestSupport
import Testing

@testable import Gate

@Suite("Questions about ControlMasters")
struct InquiriesTests {
    private static func policy(_ sockets: [String: String]) -> PolicySnapshot {
        PolicySnapshot(
            hosts: sockets.map { PolicySnapshot.Host(name: $0.key, socket: $0.value, user: "u", host: "h") },
            defaultHost: "a")
    }

    private func inquiries() -> Inquiries {
        Inquiries(Self.policy(["a": "/a", "b": "/b", "c": "/a"]), number: 3)
    }

    private func answer(_ id: UInt32, _ state: MasterState) -> Inquiries.Action { .answer(requestID: id, state) }

    @Test func `a host is named by its index in the policy, and its answer goes to who asked`() {
        var inquiries = inquiries()
        #expect(inquiries.take("b", 40, now: 0) == [.connect(1, host: 1, policy: 3)])
        #expect(inquiries.nextDeadline == MasterDown.patience)
        let (use, actions) = inquiries.connected(1)
        #expect(use == .ask && actions.isEmpty)
        let answered = inquiries.answered(1, .alive(masterPID: 9))
        #expect(answered == [.close(1), answer(40, .alive(masterPID: 9))])
        #expect(inquiries.nextDeadline == nil)
        #expect(inquiries.take("B", 41, now: 0) == [answer(41, .down(.noHost))])
        #expect(inquiries.take("", 42, now: 0) == [answer(42, .down(.noHost))])
    }

    @Test func `those who ask of one master meanwhile share the answer, also under its other names`() {
        var inquiries = inquiries()
        #expect(inquiries.take("a", 1, now: 0) == [.connect(1, host: 0, policy: 3)])
        #expect(inquiries.take("c", 2, now: 5).isEmpty && inquiries.take("a", 3, now: 9).isEmpty)
        #expect(inquiries.connected(1).use == .ask)
        #expect(inquiries.take("c", 4, now: 10).isEmpty)
        let answers = inquiries.answered(1, .down(.closed))
        #expect(answers == [.close(1)] + [1, 2, 3, 4].map { answer($0, .down(.closed)) })
        // Afterwards it is asked anew.
        #expect(inquiries.take("a", 5, now: 11) == [.connect(2, host: 0, policy: 3)])
    }

    @Test(arguments: [
        (ConnectFailure.dead(errno: 111), MasterDown.dead(errno: 111)), (.hung, .hung),
        (.foreign(userID: 5), .foreign(userID: 5)), (.unavailable(errno: 24), .unavailable(errno: 24)),
    ])
    func `what keeps the supervisor from connecting is the answer`(failure: ConnectFailure, down: MasterDown) {
        var inquiries = inquiries()
        _ = inquiries.take("a", 1, now: 0)
        #expect(inquiries.notConnected(1, failure) == [answer(1, .down(down))])
        #expect(inquiries.notConnected(1, failure) == nil, "nobody asks for it any more")
        #expect(inquiries.connected(1).use == .violation)
    }

    @Test func `under a new policy the same question is judged anew`() {
        var inquiries = inquiries()
        _ = inquiries.take("a", 1, now: 0)
        _ = inquiries.take("b", 2, now: 0)
        inquiries.adopt(Self.policy(["b": "/new"]), number: 4)
        // One of the same name that is asked of now is another one.
        #expect(inquiries.take("b", 3, now: 1) == [.connect(3, host: 0, policy: 4)])
        #expect(inquiries.notConnected(1, .otherPolicy) == [answer(1, .down(.noHost))])
        #expect(inquiries.notConnected(2, .otherPolicy) == [], "it joins the other")
        _ = inquiries.connected(3)
        #expect(
            inquiries.answered(3, .alive(masterPID: 1))
                == [.close(3), answer(3, .alive(masterPID: 1)), answer(2, .alive(masterPID: 1))])
    }

    @Test func `who has waited two seconds is told, whatever the stage, and a later answer is nobody's`() {
        var inquiries = inquiries()
        _ = inquiries.take("a", 1, now: 0)
        _ = inquiries.take("b", 2, now: 1)
        _ = inquiries.connected(2)
        #expect(inquiries.advance(now: MasterDown.patience - 1).isEmpty)
        #expect(inquiries.advance(now: MasterDown.patience) == [answer(1, .down(.hung))])
        #expect(inquiries.advance(now: MasterDown.patience + 1) == [answer(2, .down(.hung)), .close(2)])
        #expect(inquiries.nextDeadline == nil)
        #expect(inquiries.answered(2, .alive(masterPID: 1)).isEmpty)
        let (use, actions) = inquiries.connected(1)
        #expect(use == .drop && actions.isEmpty)
    }

    @Test func `as many connect at once as the supervisor takes, the others in their order`() {
        let names = (0..<40).map { $0 < 10 ? "h0\($0)" : "h\($0)" }
        var inquiries = Inquiries(
            Self.policy(Dictionary(uniqueKeysWithValues: names.map { ($0, "/\($0)") })), number: 1)
        var connects = 0
        for (index, name) in names.enumerated() { connects += inquiries.take(name, UInt32(index), now: 0).count }
        #expect(connects == FromGate.maximumConnects)
        #expect(inquiries.connected(1).actions == [.connect(17, host: 16, policy: 1)])
        #expect(
            inquiries.notConnected(2, .hung) == [answer(1, .down(.hung)), .connect(18, host: 17, policy: 1)])
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func `in any order of events each request is answered once, and the bounds hold`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let names = ["a", "b", "c", "d", "x"]
        var inquiries = Inquiries(Self.policy(["a": "/1", "b": "/2", "c": "/1", "d": "/3"]), number: 1)
        var policy: UInt32 = 1
        var (now, next): (Int, UInt32) = (0, 0)
        var waiting: Set<UInt32> = []
        var connecting: [UInt32] = []
        var asking: Set<UInt32> = []
        func perform(_ actions: [Inquiries.Action]) {
            for action in actions {
                switch action {
                case .connect(let id, _, _): connecting.append(id)
                case .close(let id): #expect(asking.remove(id) != nil)
                case .answer(let id, _): #expect(waiting.remove(id) != nil, "answered once")
                }
            }
            #expect(connecting.count <= FromGate.maximumConnects)
        }
        for _ in 0..<3000 {
            let noise = generator.next()
            switch noise % 8 {
            case 0...2:
                guard !inquiries.isFull else { continue }
                waiting.insert(next)
                perform(inquiries.take(names[Int(noise >> 8) % names.count], next, now: now))
                next += 1
            case 3 where !connecting.isEmpty:
                let id = connecting.remove(at: Int(noise >> 8) % connecting.count)
                let (use, actions) = inquiries.connected(id)
                if use == .ask { asking.insert(id) }
                #expect(use != .violation)
                perform(actions)
            case 4 where !connecting.isEmpty:
                let id = connecting.remove(at: Int(noise >> 8) % connecting.count)
                perform(inquiries.notConnected(id, noise >> 20 & 1 == 0 ? .hung : .otherPolicy) ?? [])
            case 5:
                if let id = asking.randomElement(using: &generator) {
                    perform(inquiries.answered(id, .alive(masterPID: 1)))
                }
            case 6:
                now += Int(noise >> 8 & 1023)
                perform(inquiries.advance(now: now))
            case 7 where noise >> 8 & 7 == 0:
                policy += 1
                inquiries.adopt(Self.policy(["a": "/\(policy % 3)", "b": "/2"]), number: policy)
            default: break
            }
            #expect(waiting.count <= Inquiries.maximum)
        }
        perform(inquiries.advance(now: .max))
        #expect(waiting.isEmpty && inquiries.nextDeadline == nil)
    }
}
