"""First names of people, without those that are ordinary words as well (Rose, Joy, Mark, May)."""

from __future__ import annotations

_NAMES = """
aaron abdul abdullah abigail adam adele adrian adriana agata agnes agnieszka ahmad ahmed aicha
aiden aisha akira alain alan alba albert alberto alejandra alejandro aleksander aleksandra
alessandra alessandro alessia alex alexa alexander alexandra alexandre alexandru alexei alexey
alexis alfred alfredo ali alice alicia alina alison allison alma amanda amandine ambra amelia
amelie amina amir amit amy ana anais anastasia anders andre andrea andreas andrei andres andrew
andrey andrzej angela angelina anil anita anja anjali anke ann anna annabelle anne anneke annette
annika anthony antje antoine anton antonia antonio anya ari ariana arjun armin arnaud arne arthur
arturo arun asha ashley astrid aurelie axel ayesha ayse ayumi barbara barry bart bartosz beatrice
beatriz ben benedikt benjamin bernard bernd bernhard bertrand beth bettina betty bianca birgit
bjorn blanca bob bogdan boris brad brandon brenda brendan brian brigitte britta bruce bruno bryan
callum camila camille carina carl carla carlo carlos carmen carol carolin carolina caroline
carsten catalina caterina catherine cecilia cedric celine chantal charles charlotte chiara chloe
chris christa christian christiane christina christine christof christoph christophe christopher
cindy claire clara clarissa claudia claudio clemens clement connor conrad corinna cristian
cristina curtis cynthia cyril daan dagmar damian damien dan dana daniel daniela daniele danielle
danny dario darius dave david deborah deepak deniz dennis derek detlef diana diane diego dieter
dietmar dimitri dina dirk dmitri dmitry dominic dominik dominique donald donna dora doris dorothea
dorothy doug douglas duncan dylan eberhard eduard eduardo edward edwin eileen ekaterina elaine
elena eleonora eli elias elif elisa elisabeth elise eliza elizabeth elke ella ellen elliot elsa
emanuel emil emilia emilie emily emine emir emma emmanuel enrico enrique enzo erica erich erik
erika ernesto esra esteban esther ethan etienne eugene eva evan evelyn ewa fabian fabien fabio
fabrice fatima fatma federica federico felipe felix ferdinand fernanda fernando filip fiona
florence florian floris frances francesca francesco francine francis francisco franck franco
francois frank franz fred frederic frederik friedrich fritz fumiko gabriel gabriela gabriele
gabrielle gary gaston geoff geoffrey georg george georges gerald gerard gerd gerhard gert giacomo
gianluca gianni gina giorgio giovanna giovanni gisela giulia giuseppe gloria gordon graham greg
gregor gregory greta grzegorz guido guillaume guillermo gunther gustav gustavo gwen hakan hana
hannah hannes hans hansen harald haruka haruto hasan hassan heather hector heidi heike heiko
heiner heinrich heinz helen helena helene helga helmut hendrik henning henri henrik henry herbert
hermann hideki hilary hilde hiroshi holger horst hubert hugo huseyin ian ibrahim ida ignacio igor
ilona ilse imran ines inga inge ingo ingrid inna ioana irena irene irina isaac isabel isabella
isabelle ismail ivan ivana jacek jackie jacob jacqueline jacques jaime jake jakob jakub james
jamie jana jane janet janina janine jannik jared jasmin jason javier jayden jean jeanette jeff
jeffrey jenna jennifer jenny jens jeremy jerome jerry jesse jessica jesus jill jim jimmy jing
joachim joan joana joanna joao joaquin jochen joe joel joelle johan johann johanna johannes john
johnny jon jonas jonathan jordi jorge jose josef joseph josephine joshua juan juana judith juha
julia julian juliana julie julien juliette jurgen justin justine justyna kaori karen karim karin
karina karl karla karolina karsten katarina katarzyna kate katerina katharina katherine kathleen
kathrin kathy katie katja katrin katsumi kay kazuki keith kelly ken kenji kenneth kerstin kevin
khadija khalid kim kirsten klaus konrad kristen kristian kristin kristina kristof krzysztof kumar
kurt kyle lara larry lars laura laure lauren laurence laurent lea leah lee leila lena leo leon
leonard leonardo leonie leonor leslie leticia lia liam lidia lin lina linda lionel lisa lise liu
livia liz lois lorena lorenzo louis louisa louise luc luca lucas lucia luciana lucie lucien lucy
ludwig luigi luis luisa luka lukas lukasz luke lydia lynn maciej madeleine maelle magda magdalena
mahmoud mai maja malgorzata malik manfred manon manuel manuela mara marc marcel marcello marcin
marco marcos marcus marek margaret margarita margot maria mariana marianne marie marieke marilyn
marina mario marion marisa marius markus marlene marta martha martin martina martine marvin mary
masako mateo mateus mateusz mathias mathieu mathilde mathis matteo matthew matthias matthieu
maureen maurice mauricio max maxim maxime maximilian mehdi mehmet mei melanie melissa mia michael
michaela michal michel michele michelle miguel mihai mikael mike mikhail milan milena mina ming
miriam mirjam mohamed mohammad mohammed moritz muhammad murat mustafa myriam nadia nadine nancy
naoki naoko naomi natalia natalie natasha nathalie nathan neha neil nele nguyen nicholas nick nico
nicola nicolas nicole nikita niklas nikola nikolai nikolaus nils nina noah noelle noemi noemie
nora norbert norman olaf olga oliver olivia olivier omar oscar oskar osman otto pablo pamela paola
paolo pascal patricia patrick patrik paul paula pauline paulo pavel pawel pedro peggy penelope
peter petra phil philip philipp philippe pia pierre pietro pilar piotr pooja priya rachel rafael
rafaela rahul raj rajesh ralf ralph ramon raphael raquel raul ravi raymond rebecca regina reinhard
renata renate rene ricardo riccardo richard rita rob robert roberta roberto rodrigo roger roland
rolf romain ronald rosa rosalie ross roxana roy ruben rudolf rui ruth ryan sabine sabrina salma
salvatore sam samantha samir samuel sandeep sandra sandrine sanjay sara sarah sascha satoshi scott
sean sebastian sebastien selma sergei sergey sergio seth shane shannon sharon sheila silke silvia
simon simona simone sofia sofie sonia sonja sophia sophie stacy stanislav stefan stefania stefanie
stella stephan stephane stephanie stephen steve steven stuart sue sunil susan susana susanna
susanne suzanne sven svenja svetlana sylvia sylvie tadeusz takashi takeshi tamara tania tanja
tanya tara tatiana tatjana taylor ted teresa terry theo theodor theresa therese thiago thierry
thomas thorsten tiago tiffany tilman tim timo timothy tina tobias todd tom tomas tomasz tommaso
tommy tony torben torsten tracy tristan udo ulrich ulrike umar ursula ute uwe valentin valentina
valerie vanessa vera veronica veronika veronique vicky victor victoria viktor viktoria vincent
vincenzo virginie vishal vittorio vivian vivien vladimir volker walter waltraud wanda wei wendy
werner wilhelm willem william wojciech wolfgang xavier xiaoming yan yang yann yannick yasmin
yasmine yasuko ying yoko yolanda yosef youssef yuki yuko yuri yusuf yves yvonne zachary zahra
zeynep zoe zofia zuzanna
"""

#: In other scripts, with Japanese family names, by which folders are named there.
_OTHER_SCRIPTS = """
александр алексей анастасия андрей анна дмитрий екатерина елена иван ирина мария михаил наталья
николай ольга павел сергей татьяна юлия محمد أحمد احمد علي فاطمة مريم عمر خالد حسن حسين عائشة زينب
يوسف 佐藤 鈴木 高橋 田中 伊藤 渡辺 山本 中村 小林 加藤 吉田 山田 佐々木 太郎 花子
"""

FIRST_NAMES = frozenset(_NAMES.split()) | frozenset(_OTHER_SCRIPTS.split())
#: The most frequent Chinese family names that begin few other words.
CHINESE_FAMILIES = frozenset("王李张張刘劉陈陳杨楊赵趙周吴吳徐孙孫胡朱郭罗羅郑鄭")
