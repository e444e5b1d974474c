internal import CRE2
internal import Synchronization

/// Searches text of remote hosts for what is written to mislead a model: one pass for all patterns, one for what nobody
/// sees. It says which kinds it found, and never what.
public final class InjectionGuard: Sendable {
    /// A pattern of the config that cannot be used.
    public struct Mistake: Equatable, Sendable {
        /// Where it stands in `safeguards.patterns`.
        public let index: Int
        /// What is wrong with it.
        public let reason: String
    }

    /// Bytes that the program of all patterns and its automaton may take together; the automaton starts anew when it is full.
    private static let budget: Int64 = 32 << 20
    /// Instructions that the config's patterns may have together: a quarter of the budget is for the program.
    private static let maximumInstructions = 100_000

    /// The config's patterns, as they were given.
    public let patterns: [String]
    /// Compiled by the first search: a worker is born for less than that costs.
    private let compiled = Mutex<PatternSet?>(nil)

    /// The built-in patterns and these.
    public init(patterns: [String] = []) {
        self.patterns = patterns
    }

    /// What is wrong with patterns of a config; nothing where all can be used.
    public static func mistakes(in patterns: [String]) -> [Mistake] {
        var mistakes: [Mistake] = []
        var instructions = 0
        for (index, pattern) in patterns.enumerated() {
            var reason = [CChar](repeating: 0, count: 256)
            let size = Int(PatternSet.withUTF8(pattern) { cre2_size($0, $1, budget, &reason, reason.count) })
            instructions += max(0, size)
            if size < 0 {
                let text = String(decoding: reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                mistakes.append(Mistake(index: index, reason: "is no pattern of RE2: \(text)"))
            } else if instructions > maximumInstructions {
                mistakes.append(Mistake(index: index, reason: "is too large, itself or with those before it"))
            }
        }
        return mistakes
    }

    /// The kinds that occur in a text.
    public func search(_ text: String) -> InjectionCategories {
        var text = text
        return text.withUTF8 { search(UnsafeRawBufferPointer($0)) }
    }

    /// The same for bytes that need not be UTF-8.
    public func search(_ bytes: UnsafeRawBufferPointer) -> InjectionCategories {
        guard !bytes.isEmpty else { return [] }
        let set = compiled.withLock { compiled in
            let set = compiled ?? PatternSet(patterns, budget: Self.budget)
            compiled = set
            return set
        }
        return set.search(bytes).union(HiddenText.search(bytes))
    }
}

/// The built-in patterns and the config's as one set of RE2.
/// `@unchecked`: nothing changes after `init`, and any number of threads may search a compiled set, re2/set.h.
private final class PatternSet: @unchecked Sendable {
    private let set: OpaquePointer?
    private let categories: [InjectionCategories]

    init(_ custom: [String], budget: Int64) {
        let all = InjectionPatterns.all + custom.map { (.custom, $0) }
        let set = cre2_new(budget)
        var complete = set != nil
        for (_, pattern) in all where complete {
            complete = Self.withUTF8(pattern) { cre2_add(set, $0, $1) } == 1
        }
        // What is not compiled finds nothing and says so, see cre2_search.
        if complete { _ = cre2_compile(set) }
        self.set = set
        categories = all.map(\.0)
    }

    deinit { cre2_free(set) }

    func search(_ bytes: UnsafeRawBufferPointer) -> InjectionCategories {
        var matched = [UInt8](repeating: 0, count: categories.count)
        guard let set, cre2_search(set, bytes.baseAddress, bytes.count, &matched, matched.count) == 1 else {
            return .notSearched
        }
        return zip(categories, matched).reduce(into: []) { found, pair in
            if pair.1 == 1 { found.formUnion(pair.0) }
        }
    }

    static func withUTF8<Result>(_ text: String, _ body: (UnsafePointer<CChar>?, Int) -> Result) -> Result {
        var text = text
        return text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { body($0.baseAddress, $0.count) }
        }
    }
}
