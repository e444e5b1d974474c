internal import CRE2
internal import Synchronization

/// Searches text of remote hosts for what is written to mislead a model: one pass for all patterns, one for what nobody
/// sees; a second for the patterns where the text spells something otherwise than plainly. It says which kinds it found, and never what.
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
    /// Instructions that the config's patterns may have together, about one a character: a byte of the text costs at worst
    /// a look at each.
    private static let maximumInstructions = 20_000
    /// A quarter of it is for a program's instructions, of 16 bytes: what is larger is not compiled to its end.
    private static let sizeBudget = Int64(maximumInstructions * 16 * 4)

    /// The config's patterns, as they were given.
    public let patterns: [String]
    private let budget: Int64
    /// Compiled by the first search: a worker is born for less than that costs. Two of the same patterns, because a search
    /// that fills RE2's automaton locks it until all others in it have ended: a short text must not wait for a long one.
    private let forShort = Compiled()
    private let forLong = Compiled()

    /// Bytes of a text that is searched in a moment, and never waits for a longer one.
    public static let short = 4096

    /// The built-in patterns and these.
    public init(patterns: [String] = []) {
        self.patterns = patterns
        budget = Self.budget
    }

    /// With less memory, for tests.
    init(budget: Int64) {
        patterns = []
        self.budget = budget
    }

    /// What is wrong with patterns of a config; nothing where all can be used, also together.
    public static func mistakes(in patterns: [String]) -> [Mistake] {
        var mistakes: [Mistake] = []
        var instructions = 0
        for (index, pattern) in patterns.enumerated() {
            var reason = [CChar](repeating: 0, count: 256)
            let size = Int(PatternSet.withUTF8(pattern) { cre2_size($0, $1, sizeBudget, &reason, reason.count) })
            let before = instructions
            instructions += max(0, size)
            if size < 0 {
                let text = String(decoding: reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                mistakes.append(Mistake(index: index, reason: "cannot be compiled: \(text)"))
            } else if instructions > maximumInstructions, before <= maximumInstructions {
                mistakes.append(Mistake(index: index, reason: tooLarge))
            }
        }
        // The limit on instructions leaves room for the automaton; whether it really does is tried.
        if mistakes.isEmpty, !patterns.isEmpty, InjectionGuard(patterns: patterns).search("x").contains(.notSearched) {
            mistakes.append(Mistake(index: patterns.count - 1, reason: tooLarge))
        }
        return mistakes
    }

    private static let tooLarge = "is too large, itself or with those before it"

    /// Whether a search of a short text can begin at once: the patterns are compiled, and nobody compiles them just now.
    public var isReady: Bool { forShort.isThere }

    /// Compiles the patterns for short texts, where they are not yet; it takes a moment.
    public func prepare() { _ = patternSet(for: 0) }

    private func patternSet(for count: Int) -> PatternSet {
        (count <= Self.short ? forShort : forLong).set(patterns, budget: budget)
    }

    /// The kinds that occur in a text.
    public func search(_ text: String) -> InjectionCategories {
        var text = text
        return text.withUTF8 { bytes in
            let bytes = UnsafeRawBufferPointer(bytes)
            return searchPatterns(bytes).union(HiddenText.search(bytes))
        }
    }

    /// What the patterns find, in the text as it stands and in its plain spelling.
    private func searchPatterns(_ bytes: UnsafeRawBufferPointer) -> InjectionCategories {
        guard !bytes.isEmpty else { return [] }
        let set = patternSet(for: bytes.count)
        let found = set.search(bytes)
        guard let plain = PlainSpelling.of(bytes) else { return found }
        return plain.withUnsafeBytes { found.union(set.search($0)) }
    }
}

/// A set of patterns that is compiled when it is first asked for.
private final class Compiled: Sendable {
    private let known = Mutex<PatternSet?>(nil)

    /// It is compiled, and nobody compiles it just now.
    var isThere: Bool { known.withLockIfAvailable { $0 != nil } ?? false }

    /// The set; who asks first compiles it, the others wait for that.
    func set(_ patterns: [String], budget: Int64) -> PatternSet {
        known.withLock { known in
            let set = known ?? PatternSet(patterns, budget: budget)
            known = set
            return set
        }
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
