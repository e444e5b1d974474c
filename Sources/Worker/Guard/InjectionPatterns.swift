/// The built-in patterns of the injection guard, in the syntax of RE2. One more pattern adds states to the automaton
/// that searches for all of them, and no pass over the text. Tests/ToolsTests/InjectionCorpus.swift lists what must
/// match and what must not.
enum InjectionPatterns {
    /// What may stand between two words: white space, characters that show nothing or a blank, and the marks with which
    /// a line of a comment or a quotation begins.
    private static let gap =
        #"[\s\pZ\x{AD}\x{200B}-\x{200F}\x{2060}-\x{2064}\x{2800}\x{3164}\x{FEFF}\x{FFA0}*_>#/|"'`~,()-]+"#

    /// What the names in `⟨⟩` stand for.
    private static let parts: [(name: String, pattern: String)] = [
        // The beginning of an opening tag, and that of an opening or a closing one.
        ("⟨<⟩", #"<\s*"#), ("⟨</⟩", #"<\s*/?\s*"#),
        // Where a tag may begin: behind no word without a blank, and behind no directive that includes a header of C.
        (
            "⟨tag⟩",
            #"(?:(?m:^)|[^\w\s]|\#(notBehind(["include", "include_next", "import"], but: #"\x20\t"#))[\x20\t])[\x20\t]*"#
        ),
        // Words on one line, the first of which may be quoted: two that begin with a small letter, three of any kind, or
        // any of another alphabet than the Latin one.
        ("⟨two words⟩", #"["'“*_(]*(?:(?-i:[a-z])[^\s<#]*[\x20\t]+[(\w"'][^\s<#]*|⟨three words⟩)"#),
        (
            "⟨three words⟩",
            #"["'“*_(]*(?:[a-z][^\s<#]*(?:[\x20\t]+[(\w"'\x{80}-\x{10FFFF}][^\s<#]*){2}"#
                + #"|[\x{C0}-\x{1FFF}\x{2C00}-\x{2DFF}\x{3041}-\x{D7FF}\x{F900}-\x{FDFF}\x{10000}-\x{1EFFF}\x{20000}-\x{3FFFF}])"#
        ),
        // The beginning of an order: that of a line or a clause, or "please", "now", "you must".
        (
            "⟨order⟩",
            #"(?:(?:(?m:^)|[.!?:;,"'`*>#(\[{}\]-])\s*|\b(?:please|now|you|you (?:must|should|will|shall|can|have to)) )"#
        ),
        // The end of a clause.
        ("⟨end⟩", #"(?:\s*(?:(?m:$)|[.,;:!?)\]"'`*—–-])| (?:and|but|instead|then)\b)"#),
        ("⟨you are⟩", #"\b(?:you are|you['’]?re)"#),
    ]

    /// A pattern for what does not end in one of these words, nor in a character of `but`.
    private static func notBehind(_ words: [String], but others: String = "") -> String {
        let last = Set(words.compactMap(\.last)).sorted()
        let longer = last.compactMap { character -> String? in
            let rest = words.filter { $0.last == character }.map { String($0.dropLast()) }
            return rest.contains("") ? nil : notBehind(rest) + String(character)
        }
        return "(?:" + (["(?m:^)", "[^\(String(last))\(others)]"] + longer).joined(separator: "|") + ")"
    }

    /// All patterns with their categories. In the tables below a space matches any gap, `\x20` matches a space, and
    /// case is ignored unless a pattern begins with `(?-i)`. `PlainSpelling` undoes escapes and other spellings first.
    static let all: [(category: InjectionCategories, pattern: String)] =
        tables.flatMap { category, patterns in patterns.map { (category, expanded($0)) } }

    private static let tables: [(InjectionCategories, [String])] = [
        (.xmlToolTags, toolTags), (.authorityTags, authorityTags), (.instructionOverride, instructionOverride),
        (.roleHijacking, roleHijacking),
    ]

    private static func expanded(_ pattern: String) -> String {
        let spelled = parts.reduce(pattern) { $0.replacing($1.name, with: $1.pattern) }
        return "(?i)" + spelled.split(separator: " ", omittingEmptySubsequences: false).joined(separator: gap)
    }

    /// Function calls as the models of Anthropic, OpenAI, Mistral, Llama, Qwen and DeepSeek write them. DeepSeek's have
    /// fullwidth bars, which the plain spelling replaces, and U+2581 between words. `<invoke operation="x">` and
    /// `<parameter>` without a name do not match, because many XML vocabularies have them. `UnopenedTags` finds their
    /// closing tags.
    private static let toolTags = [
        #"⟨</⟩(?:[a-z]+:)?(?:function_calls?|function_results?|tool_calls?|tool_use|tool_results?|tool_response|tool_code|tool_outputs?|use_mcp_tool)(?:\s[^<>]*)?/?>"#,
        #"⟨</⟩antml:[a-z_]+"#,
        #"⟨<⟩(?:invoke|parameter)\s+name\s*=\s*(?:["'][^"'<>]*["']|[^\s"'<>/=]+)\s*>"#,
        #"⟨<⟩/\s*invoke\s*>"#,
        #"⟨<⟩(?:function|parameter)\s*=\s*["']?[\w.-]+["']?\s*>"#,
        #"<\|(?:tool[_▁](?:calls?|outputs?|response|sep)|python_tag|function[_▁]calls?)[^|<>]*\|>"#,
        #"⟨</⟩\|DSML\|"#,
        #"(?-i)\[/?(?:TOOL_CALLS?|TOOL_RESULTS|AVAILABLE_TOOLS)\]"#,
    ]

    /// Markup that claims to speak for the system, the operator or a turn of the conversation, and the special tokens of
    /// chat templates, most of which are `<|word|>`. Some markup of other programs must not match: a tag `<system>`
    /// without a sentence behind it, as Maven, fluentd and pfSense have it, a data format has `<system>` with attributes
    /// before an element, DocBook has `<important>` before an element, C has `#include <system>`, POD has `C<root>`, C++
    /// has `cast<Operator>`, build logs have lines that begin with `[INST]`, and `<user>` and `<developer>` are common
    /// everywhere.
    private static let authorityTags = [
        #"⟨</⟩(?:system|admin|developer|assistant)[-_](?:reminder|prompt|message|instructions?|override|directive)s?(?:\s[^<>]*)?>"#,
        #"⟨tag⟩⟨<⟩system\s*>(?:[\x20\t]*⟨two words⟩|\s*⟨three words⟩)"#,
        #"⟨tag⟩⟨<⟩(?:admin|root|operator|anthropic|openai|claude)\s*>\s*[a-z\x{80}-\x{10FFFF}][^\s<]*(?:\s+[^\s<]+){2}"#,
        #"⟨tag⟩⟨<⟩system(?:\s+[a-z][\w-]*\s*=\s*(?:"[^"<>]*"|'[^'<>]*'))+\s*>\s*(?:\z|(?-i:[a-z])|[^\sa-z<]|[^\s<]+(?:\s+[^\s<]+){2})"#,
        #"⟨<⟩important(?:[-_]instructions?)?\s*>\s*[^<\s]"#,
        #"⟨</⟩(?:human|assistant)\s*>"#,
        #"<\|/?[a-z][\w▁-]*\|>"#,
        #"⟨<⟩\|\s*(?:im_start|im_end|im_sep|endoftext|eot_id|start_header_id|end_header_id)\s*\|\s*>"#,
        #"⟨</⟩(?:start|end)_of_turn\s*>"#,
        #"(?-i)\[/INST\]|</?s>\s*\[INST\]|<</?SYS>>|\[gMASK\]"#,
        #"(?m)^###[\x20\t]*system(?:[\x20\t]+(?:prompt|message|instruction)s?)?[\x20\t]*:"#,
        #"\[/?(?:system|admin)[\x20_-](?:prompt|override|instructions?)\]"#,
        #"\bsystem override[\x20\t]*:"#,
    ]

    /// Sentences that tell a model to drop its instructions, to follow others, to hide something from the user or to
    /// show its prompt. "Options override previous instructions" is no order and does not match.
    private static let instructionOverride = [
        #"(?:\b(?:ignore|disregard|forget|(?:do not|don['’]?t|stop) (?:follow|obey|following|obeying))|⟨order⟩(?:discard|override)) (?:(?:all|any|every|each|of|the|these|those|your|my|our|other|and) ){0,4}(?:previous|previously|prior|earlier|above|preceding|foregoing|initial|original|system|past|former|your) (?:(?:system|developer|safety|security|user|your|and|or|given|prior|earlier|of|the|these) ){0,3}(?:instructions?|prompts?|directives?|directions?|guidelines?|programming|training|orders)\b"#,
        #"\b(?:ignore|disregard|forget|(?:do not|don['’]?t|stop) (?:follow|obey|following|obeying)) (?:(?:all|any|every|each|of|the|these|those|your|my|our|other) ){0,4}(?:instructions?|prompts?|directives?|directions?|guidelines?|orders|conversation) (?:above|before this|(?:that )?you (?:were|have been) (?:given|told))\b"#,
        #"\b(?:ignore|disregard|forget) (?:(?:all|any|everything|of|the) ){1,3}above⟨end⟩"#,
        #"\b(?:do not|don['’]?t|never|stop) (?:follow|obey|following|obeying) (?:(?:all|any|of|the|these|those|your|my) ){0,4}(?:previous|prior|earlier|above|preceding|original|initial)(?: ones| rules)?⟨end⟩"#,
        #"\b(?:ignore|disregard|forget) (?:all|any|every) (?:(?:of|the|your|these|those|other|safety|security) ){0,3}(?:instructions|prompts|guidelines)\b"#,
        #"\b(?:ignore|disregard|forget|bypass) (?:(?:all|any|every|of|the) ){0,3}(?:your|previous|prior) (?:(?:safety|security|system|content|previous|prior|own) ){0,2}(?:rules|policies|constraints|limitations|safeguards|guardrails|safety measures)\b"#,
        #"\b(?:ignore|disregard|forget) (?:everything|anything|all|all of (?:it|that|this|the)) (?:that )?(?:above|before this|i (?:said|told)|(?:you (?:have been|were|know)|you['’]?ve been))"#,
        #"\b(?:instructions?|prompts?|rules|guidelines) (?:above|before this|you were given) (?:are|is) (?:now )?(?:void|obsolete|cancell?ed|revoked|invalid|superseded)"#,
        #"\b(?:new|real|actual|secret|hidden) (?:(?:system|secret|hidden) )?instructions?\s*(?::| (?:from|by) (?:the )?(?:user|admin|administrator|operator|developer|system|anthropic|openai)\b)"#,
        #"\binstructions? (?:override|overrides|supersede|supersedes|replace|replaces|take precedence over|takes precedence over) (?:(?:all|any|every|of) ){0,2}(?:your|previous|prior|earlier|other)\b"#,
        #"\b(?:do not|don['’]?t|never|without) (?:tell|telling|inform|informing|mention(?:ing)? (?:this|it|that) to|reveal(?:ing)? (?:this|it|that) to) the user (?:about |of )?(?:this|these|it|any of|anything|what you)\b"#,
        #"\b(?:reveal|print|output|repeat|show|leak|send|display|disclose) (?:(?:me|us|the|full|entire|complete|hidden|whole|contents|of|out|all) ){0,4}your (?:(?:full|entire|complete|hidden|initial|original|own) ){0,2}(?:system prompt|system message|initial prompt|initial instructions)\b"#,
    ]

    /// Sentences that give a model another role. "You are now connected", "act as a proxy", "pretend to be a browser",
    /// "the replica assumes the role of" and "enable developer mode" do not match.
    private static let roleHijacking = [
        #"⟨you are⟩ now (?:an?|the|my) (?:[\w-]+ ){0,3}(?:ai|assistant|agent|bot|chatbot|language model|hacker|attacker|persona|character|pirate)\b"#,
        #"⟨you are⟩ now (?:(?:an?|the|my) )?(?:dan|jailbroken|unrestricted|uncensored|unfiltered|free from|acting as|roleplaying|role-playing|in (?:dan|developer|jailbreak|god|unrestricted) mode)\b"#,
        #"⟨you are⟩ no longer (?:(?:an? )?(?:ai|assistant|language model|claude|chatgpt|gpt)|bound by (?:your|the|any|these|those)|required to follow (?:your|the|any))\b"#,
        #"\b(?:pretend|imagine) (?:that )?⟨you are⟩\b"#,
        #"\b(?:act|behave|respond|answer|reply|roleplay|role-play) (?:as|like) (?:if ⟨you are⟩ )?(?:(?:an?|the) )?(?:unrestricted|uncensored|unfiltered|evil|malicious|jailbroken|rogue|amoral|different ai|hacker|dan)\b"#,
        #"\b(?:act|behave|respond|answer|reply|speak|roleplay|role-play) as (?:if|though) (?:you|youre)\b"#,
        #"\b(?:act|behave|respond|answer|reply|speak|roleplay|role-play) like ⟨you are⟩\b"#,
        #"\bfrom now on (?:you (?:(?:will|must|shall|should) )?(?:only )?(?:act|behave|respond|answer|obey|pretend|roleplay|speak|reply)|⟨you are⟩ (?:an?|my|the|no longer)|your (?:name|role|identity|only|new))\b"#,
        #"\byour (?:new|true|real|actual) (?:role|identity|persona|personality|purpose|objective|mission|goal|task)(?: is\b|\s*:)"#,
        #"\b(?:enter|enable|activate|engage|switch to|unlock) (?:dan|jailbreak|unrestricted|uncensored) mode\b"#,
        #"\b(?:assume|adopt|take on) the (?:persona|identity|personality|character) of\b"#,
        #"⟨order⟩(?:assume|adopt|take on|play) the role of\b"#,
        #"\bas an (?:ai|artificial intelligence)(?: (?:language )?(?:model|assistant|agent))? you (?:must|should|will|shall|have to)\b"#,
        #"(?-i)\n\n(?:Human|Assistant):\s"#,
    ]
}
