import IPC
import Testing

@testable import Mux

@Suite struct MasterConversationTests {
    private static let forward = MuxForward(listenPort: 8080, target: .tcp(host: "db", port: 5432))

    /// A phase, and how it is reached.
    enum Situation: CaseIterable {
        case greeting, idle, checking, passing, opening, openingForward, closingForward, open, exited
    }

    /// A conversation in that phase. Its request has the number 1, its session 2.
    private func conversation(in situation: Situation) throws -> MasterConversation {
        let forward = try #require(Self.forward)
        let request: MasterRequest =
            switch situation {
            case .greeting, .idle, .checking: .control(.alive)
            case .passing, .opening, .open, .exited: .session(try session("true"))
            case .openingForward: .control(.openForward(forward))
            case .closingForward: .control(.closeForward(forward))
            }
        let replies: [MuxReply] =
            switch situation {
            case .greeting: []
            case .checking, .passing, .opening, .openingForward, .closingForward: [.hello(version: 4)]
            case .idle: [.hello(version: 4), .alive(request: 1, masterPID: 7)]
            case .open: [.hello(version: 4), .sessionOpened(request: 1, session: 2)]
            case .exited:
                [.hello(version: 4), .sessionOpened(request: 1, session: 2), .exitMessage(session: 2, status: 0)]
            }
        var conversation = MasterConversation(request)
        for reply in replies {
            _ = conversation.received(reply.encoded())
            if situation != .passing { conversation.passedDescriptors() }
        }
        return conversation
    }

    private func outcome(_ situation: Situation) -> Outcome {
        switch situation {
        case .greeting, .idle, .passing: .nothingAsked
        case .checking, .opening, .openingForward, .closingForward, .open, .exited: .unknown
        }
    }

    @Test func `an alive check tells the master's process`() {
        var conversation = MasterConversation(.control(.alive))
        #expect(conversation.opening == [.send(MuxRequest.hello.encoded())])
        #expect(
            conversation.received(MuxReply.hello(version: 4).encoded())
                == [.send(MuxRequest.aliveCheck(request: 1).encoded())])
        #expect(conversation.waiting == .forMaster)
        #expect(
            conversation.received(MuxReply.alive(request: 1, masterPID: 4711).encoded())
                == [.report(.alive(masterPID: 4711))])
        #expect(conversation.waiting == .forNothing)
    }

    @Test func `a session gets its descriptors behind its request, then tells opening, exit and end`() throws {
        let session = try session("exit 3")
        var conversation = MasterConversation(.session(session))
        #expect(
            conversation.received(MuxReply.hello(version: 4).encoded())
                == [.send(MuxRequest.newSession(request: 1, session).encoded()), .passDescriptors])
        #expect(conversation.waiting == .forMaster)
        conversation.passedDescriptors()
        #expect(conversation.waiting == .forHost)
        #expect(
            conversation.received(MuxReply.sessionOpened(request: 1, session: 2).encoded()) == [.report(.sessionOpened)]
        )
        #expect(conversation.waiting == .forEnd)
        #expect(conversation.timedOut() == [])
        #expect(
            conversation.received(MuxReply.exitMessage(session: 2, status: 3).encoded())
                == [.report(.sessionExited(status: 3))])
        #expect(conversation.lost(errno: 0) == [.report(.sessionEnded(status: 3)), .close])
        #expect(conversation.lost(errno: 0) == [])
    }

    @Test func `a session that ends without an exit message has no status`() throws {
        var conversation = try conversation(in: .open)
        #expect(conversation.lost(errno: 0) == [.report(.sessionEnded(status: nil)), .close])
    }

    @Test func `a host's refusal is told apart from the user's and the master's`() throws {
        let refusals: [(MuxReply, byHost: Bool, isDenied: Bool)] = [
            (.failure(request: 1, reason: "Session open refused by peer"), true, false),
            (.failure(request: 1, reason: "Multiple sessions not supported"), false, false),
            (.permissionDenied(request: 1, reason: "Session open refused by peer"), false, true),
        ]
        for (reply, byHost, isDenied) in refusals {
            var conversation = try conversation(in: .opening)
            let actions = conversation.received(reply.encoded())
            guard case .report(.refused(let refusal)) = actions.first else {
                Issue.record("\(actions)")
                continue
            }
            #expect(actions.dropFirst() == [.close])
            #expect(refusal.isByHost == byHost && refusal.isDenied == isDenied)
        }
    }

    @Test func `one connection takes controls one after the other, each with a number of its own`() throws {
        let forward = try #require(Self.forward)
        var conversation = try conversation(in: .idle)
        #expect(
            conversation.ask(.openForward(forward)) == [.send(MuxRequest.openForward(request: 2, forward).encoded())])
        #expect(conversation.ask(.alive) == nil)
        #expect(conversation.received(MuxReply.ok(request: 2).encoded()) == [.report(.forwardOpened)])
        #expect(
            conversation.ask(.closeForward(forward)) == [.send(MuxRequest.closeForward(request: 3, forward).encoded())])
        let refused = MuxReply.failure(request: 3, reason: "port not forwarded")
        #expect(
            conversation.received(refused.encoded())
                == [.report(.refused(MuxRefusal(isDenied: false, reason: "port not forwarded")))])
        #expect(conversation.ask(.closeForward(forward)) != nil)
        #expect(conversation.received(MuxReply.ok(request: 4).encoded()) == [.report(.forwardClosed)])
    }

    @Test func `a master of another version is asked nothing`() {
        var conversation = MasterConversation(.control(.alive))
        #expect(
            conversation.received(MuxReply.hello(version: 5).encoded())
                == [.report(.failed(.otherVersion(5), .nothingAsked)), .close])
    }

    @Test(arguments: Situation.allCases)
    func `what a master may say is exactly this`(situation: Situation) throws {
        let allowed: Set<ReplyType> =
            switch situation {
            case .greeting: [.hello]
            case .checking: [.alive, .failure, .permissionDenied]
            case .passing: [.failure, .permissionDenied]
            case .opening: [.sessionOpened, .failure, .permissionDenied]
            case .openingForward, .closingForward: [.ok, .failure, .permissionDenied]
            case .open: [.exitMessage]
            case .idle, .exited: []
            }
        for reply in MuxReply.samples {
            var conversation = try conversation(in: situation)
            let actions = conversation.received(reply.encoded())
            let refused: [MasterConversation.Action] = [
                .report(.failed(.violation(.outOfTurn(reply.type)), outcome(situation))), .close,
            ]
            #expect((actions == refused) != allowed.contains(reply.type), "\(situation) \(reply): \(actions)")
            guard actions == refused else { continue }
            #expect(conversation.received(reply.encoded()) == [])
            #expect(conversation.lost(errno: 0) == [])
            #expect(conversation.ask(.alive) == nil)
        }
    }

    @Test func `an answer to another request, or news of another session, ends the connection`() throws {
        let strangers: [(Situation, MuxReply, MuxViolation)] = [
            (.checking, .alive(request: 0, masterPID: 1), .wrongRequest(0)),
            (.checking, .failure(request: 2, reason: ""), .wrongRequest(2)),
            (.opening, .sessionOpened(request: 2, session: 2), .wrongRequest(2)),
            (.opening, .failure(request: .max, reason: ""), .wrongRequest(.max)),
            (.opening, .permissionDenied(request: 0, reason: ""), .wrongRequest(0)),
            (.openingForward, .ok(request: 2), .wrongRequest(2)),
            (.closingForward, .ok(request: 0), .wrongRequest(0)),
            (.closingForward, .permissionDenied(request: 9, reason: ""), .wrongRequest(9)),
            (.open, .exitMessage(session: 1, status: 0), .wrongSession(1)),
        ]
        for (situation, reply, expected) in strangers {
            var conversation = try conversation(in: situation)
            #expect(
                conversation.received(reply.encoded()) == [.report(.failed(.violation(expected), .unknown)), .close],
                "\(situation) \(reply)")
        }
    }

    @Test(arguments: Situation.allCases)
    func `a lost connection says whether anything was asked`(situation: Situation) throws {
        for errno: Int32 in [0, 104] {
            var conversation = try conversation(in: situation)
            let expected: MasterFact =
                switch situation {
                case .open: .sessionEnded(status: nil)
                case .exited: .sessionEnded(status: 0)
                case .greeting, .idle, .checking, .passing, .opening, .openingForward, .closingForward:
                    .failed(.lost(errno: errno), outcome(situation))
                }
            #expect(conversation.lost(errno: errno) == [.report(expected), .close])
        }
        var cut = try conversation(in: situation)
        #expect(cut.received([0, 0]) == [])
        #expect(cut.lost(errno: 0) == [.report(.failed(.violation(.truncated), outcome(situation))), .close])
    }

    @Test(arguments: Situation.allCases)
    func `a bound that passes ends what waits for an answer, and nothing else`(situation: Situation) throws {
        var conversation = try conversation(in: situation)
        let actions = conversation.timedOut()
        switch situation {
        case .greeting, .checking, .passing, .opening, .openingForward, .closingForward:
            #expect(actions == [.report(.failed(.silent, outcome(situation))), .close])
        case .idle, .open, .exited: #expect(actions == [])
        }
    }

    @Test func `every split of a session's words gives the same facts`() throws {
        let words: [MuxReply] = [
            .sessionOpened(request: 1, session: 2), .exitMessage(session: 2, status: 3),
        ]
        let stream = words.flatMap { $0.encoded() }
        func actions(_ parts: [ArraySlice<UInt8>]) throws -> [MasterConversation.Action] {
            var conversation = MasterConversation(.session(try session("exit 3")))
            let hello = MuxReply.hello(version: 4).encoded()
            let actions = conversation.received(hello)
            conversation.passedDescriptors()
            return actions + parts.flatMap { conversation.received($0) } + conversation.lost(errno: 0)
        }
        let expected = try actions([stream[...]])
        #expect(expected.contains(.report(.sessionEnded(status: 3))))
        for first in 0...stream.count {
            for second in first...stream.count {
                let found = try actions([stream[..<first], stream[first..<second], stream[second...]])
                #expect(found == expected, "split at \(first) and \(second)")
            }
        }
    }
}
